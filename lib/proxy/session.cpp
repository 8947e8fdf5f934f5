#include "proxy/session.hpp"

#include "proxy/dial.hpp"
#include "proxy/log.hpp"
#include "proxy/relay.hpp"

#include <linux/netfilter_ipv4.h>
#include <sys/socket.h>

namespace atls::proxy {
namespace {

using boost::system::error_code;
using clock = std::chrono::steady_clock;
using problem = std::optional<failure>;
using shared_tunnel = std::shared_ptr<const tunnel>;

// The handshake, judged; nothing of the application has moved before this returns a peer.
awaitable<result<admitted_peer>> shake_hands(tls_stream& tls, const tunnel& through,
                                             access_record& record) {
  const auto started = clock::now();
  const auto finished = co_await tls.handshake(started + through.limits.handshake);
  record.handshake = clock::now() - started;
  record.evidence = tls.attestation().evidence_time();
  record.appraisal = tls.attestation().appraisal_time();
  if (!finished) {
    through.statistics->handshake_ended(record, finished.error().code);
    if (finished.error().code != errc::handshake_timeout) {
      const auto& limits = through.limits;
      co_await tls.linger(limits.close, started + limits.handshake + limits.close);
    }
    co_return finished.error();
  }
  auto peer = admitted_peer::admit(tls.attestation());
  if (peer) {
    record.peer = peer->name();
    record.resumed = tls.attestation().is_resumed();
    record.verdict = peer->attested() ? "affirming" : "unattested";
    record.kid = peer->attested() ? to_hex(peer->attested()->kid()) : "";
    if (peer->attested() && peer->attested()->would_refuse()) {
      record.would_refuse = peer->attested()->would_refuse()->text();
    }
    tls.establish();
  }
  through.statistics->handshake_ended(record, peer ? errc::ok : peer.error().code);
  co_return peer;
}

awaitable<result<stream_socket>> dial_target(executor where, const address& target,
                                             const tunnel& through) {
  auto dialled = co_await dial(where, target, clock::now() + through.limits.connect);
  if (dialled) {
    prepare(*dialled, through.tcp);
  }
  co_return dialled;
}

// Plaintext came in: the peer is dialled first. An application that is refused sees a reset, not
// the proper end of an empty answer.
awaitable<problem> converse_egress(stream_socket application, const address& target,
                                   shared_tunnel through, access_record& record,
                                   live_connections& among) {
  auto dialled = co_await dial_target(application.get_executor(), target, *through);
  if (!dialled) {
    reset(application);
    co_return dialled.error();
  }
  auto tls = std::make_shared<tls_stream>(std::move(*dialled), *through->tls);
  auto peer = co_await shake_hands(*tls, *through, record);
  if (!peer) {
    reset(application);
    co_return peer.error();
  }
  co_return co_await relay(std::move(*peer), std::move(tls), std::move(application),
                           std::move(through), record.moved, among);
}

// Endpoints are large, and a coroutine keeps what it has named to its end: not in those that wait.
using shared_addresses = std::shared_ptr<const connection_addresses>;

shared_addresses real_addresses(const stream_socket& accepted) {
  error_code ec;
  return std::make_shared<const connection_addresses>(accepted.remote_endpoint(ec),
                                                      accepted.local_endpoint(ec));
}

// By the PROXY protocol.
awaitable<result<shared_addresses>> ask_for_addresses(stream_socket& accepted,
                                                      const tunnel& through,
                                                      shared_addresses real) {
  const auto told =
      co_await proxy_protocol::receive(accepted, *real, clock::now() + through.limits.handshake);
  if (!told) {
    co_return told.error();
  }
  co_return std::make_shared<const connection_addresses>(*told);
}

awaitable<> introduce(stream_socket& application, const tunnel& through, shared_addresses addresses,
                      const admitted_peer& peer, error_code& ec) {
  const auto header = proxy_protocol::header(through.sends_proxy_header, *addresses, peer);
  co_await send_all(application, header, ec);
}

// TLS came in: the application is dialled last, after the verdict.
awaitable<problem> converse_ingress(stream_socket accepted, const address& target,
                                    shared_addresses addresses, shared_tunnel through,
                                    access_record& record, live_connections& among) {
  const auto executor = accepted.get_executor();
  auto tls = std::make_shared<tls_stream>(std::move(accepted), *through->tls);
  auto peer = co_await shake_hands(*tls, *through, record);
  if (!peer) {
    co_return peer.error();
  }
  auto dialled = co_await dial_target(executor, target, *through);
  if (!dialled) {
    co_return dialled.error();
  }
  if (through->sends_proxy_header != proxy_protocol::version::none) {
    error_code ec;
    co_await introduce(*dialled, *through, std::move(addresses), *peer, ec);
    if (ec) {
      co_return failure(errc::local_reset, ec.message());
    }
  }
  co_return co_await relay(std::move(*peer), std::move(tls), std::move(*dialled),
                           std::move(through), record.moved, among);
}

// Where a client wanted to go before the kernel sent it here.
result<address> original_destination(stream_socket& accepted, const tunnel& through) {
  error_code ec;
  auto local = accepted.local_endpoint(ec);
  stream_protocol::endpoint wanted = local;
  if (!through.transparent) {
    const bool is_v6 = local.protocol().family() == AF_INET6;
    auto size = static_cast<socklen_t>(local.size());
    // The same number for IPv6 (IP6T_SO_ORIGINAL_DST). The kernel leaves `size` as it is.
    if (::getsockopt(accepted.native_handle(), is_v6 ? SOL_IPV6 : SOL_IP, SO_ORIGINAL_DST,
                     wanted.data(), &size) != 0) {
      return failure(errc::target_unreachable,
                     "the connection was not redirected: there is no original destination");
    }
  }
  auto out = to_address(wanted);
  if (!out || out->port == through.listen.port) {
    return failure(errc::target_unreachable,
                   "the client addressed the tunnel itself: there is no original destination");
  }
  return std::move(*out);
}

awaitable<problem> converse(stream_socket accepted, shared_tunnel through, access_record& record,
                            live_connections& among) {
  result<address> target = through->target;
  if (through->target.kind == address::scheme::original_destination) {
    target = original_destination(accepted, *through);
  }
  if (!target) {
    reset(accepted);
    co_return target.error();
  }
  record.destination = target->text();
  shared_addresses addresses;
  if (through->accepts_proxy_header ||
      through->sends_proxy_header != proxy_protocol::version::none) {
    addresses = real_addresses(accepted);
  }
  if (through->accepts_proxy_header) {
    auto told = co_await ask_for_addresses(accepted, *through, std::move(addresses));
    if (!told) {
      reset(accepted);
      co_return told.error();
    }
    addresses = std::move(*told);
    record.source = to_text(addresses->source);
  }
  if (through->is_egress()) {
    co_return co_await converse_egress(std::move(accepted), *target, std::move(through), record,
                                       among);
  }
  co_return co_await converse_ingress(std::move(accepted), *target, std::move(addresses),
                                      std::move(through), record, among);
}

std::string source_of(const stream_socket& accepted) {
  error_code ec;
  return to_text(accepted.remote_endpoint(ec));
}

// The line in the log and the counters, also of a connection that ends with its thread: its
// coroutine never gets to the end of it.
struct account_at_end {
  access_record record;
  const shared_tunnel through;
  const clock::time_point started = clock::now();

  explicit account_at_end(shared_tunnel of) : through(std::move(of)) {
    record.tunnel = through->name;
    record.role = through->role_name();
    record.destination = through->target.text();
    record.problem = failure(errc::shutting_down);
    through->statistics->opened();
  }
  account_at_end(const account_at_end&) = delete;
  account_at_end& operator=(const account_at_end&) = delete;
  ~account_at_end() {
    record.duration = clock::now() - started;
    through->statistics->closed(record);
    log_connection(record);
  }
};

}  // namespace

awaitable<> run_session(stream_socket accepted, std::shared_ptr<const tunnel> through,
                        std::uint64_t number, live_connections& among) {
  account_at_end account(through);
  access_record& record = account.record;
  record.connection = number;
  try {
    record.source = source_of(accepted);
    prepare(accepted, through->tcp);
    auto ended_by = co_await converse(std::move(accepted), std::move(through), record, among);
    record.problem = std::move(ended_by);
  } catch (const std::exception& e) {
    record.problem = failure(errc::internal, e.what());
  }
}

}  // namespace atls::proxy
