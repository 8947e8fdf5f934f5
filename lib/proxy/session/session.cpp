#include "proxy/session/session.hpp"

#include "proxy/log.hpp"
#include "proxy/relay/relay.hpp"
#include "proxy/session/dial.hpp"

#include <linux/netfilter_ipv4.h>
#include <sys/socket.h>

namespace atls::proxy {
namespace {

using boost::system::error_code;
using clock = std::chrono::steady_clock;
using problem = std::optional<failure>;
using shared_tunnel = std::shared_ptr<const tunnel>;
using shared_place = std::shared_ptr<admission::place>;

// By which scheme the peer showed itself, or what its certificate carries; empty: neither.
std::string shown_by_peer(const tls::handshake& of) {
  const auto& agreed = of.negotiated().peer();
  if (agreed) {
    return agreed->text();
  }
  const auto& attested = of.peer()->attested;
  const bool by_certificate = attested && attested->evidence() && !attested->evidence()->is_fresh;
  return by_certificate ? attested->evidence()->media_type + " in its certificate" : "";
}

// The handshake, judged; nothing of the application has moved before this returns a peer.
awaitable<result<admitted_peer>> shake_hands(tls_stream& tls, const tunnel& through,
                                             steady_time deadline, access_record& record) {
  const auto started = clock::now();
  const auto finished = co_await tls.handshake(deadline);
  record.handshake = clock::now() - started;
  record.evidence = tls.attestation().evidence_time();
  record.appraisal = tls.attestation().appraisal_time();
  const auto& negotiated = tls.attestation().negotiated();
  record.agreed = std::make_unique<const agreed_schemes>(
      agreed_schemes{.peer = shown_by_peer(tls.attestation()),
                     .own = negotiated.own() ? negotiated.own()->text() : ""});
  if (!finished) {
    through.statistics->handshake_ended(record, finished.error().code);
    if (!tls.is_aborted()) {
      co_await tls.linger(through.limits.close, deadline + through.limits.close);
    }
    co_return finished.error();
  }
  auto peer = admitted_peer::admit(tls.attestation());
  if (peer) {
    record.peer = peer->name();
    record.resumed = tls.attestation().is_resumed();
    record.verdict = peer->attested() ? "affirming" : "unattested";
    record.kid = peer->attested() ? to_hex(peer->attested()->instance()) : "";
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

// The target, dialled and admitted: a burst of applications takes turns here.
awaitable<result<admitted_peer>> reach_peer(std::shared_ptr<tls_stream>& tls, executor where,
                                            const address& target, const tunnel& through,
                                            const connection_quotas& quotas, access_record& record,
                                            session_resources& shared) {
  const auto deadline = clock::now() + through.limits.handshake;
  quota::share handshake;
  const bool may_begin = co_await handshake.take(quotas.handshakes, where, deadline);
  if (!may_begin) {
    co_return failure(errc::handshake_timeout, "others' handshakes came first");
  }
  auto dialled = co_await dial_target(where, target, through);
  if (!dialled) {
    co_return dialled.error();
  }
  tls = std::make_shared<tls_stream>(std::move(*dialled), *through.tls, shared.turns, nullptr);
  co_return co_await shake_hands(*tls, through, clock::now() + through.limits.handshake, record);
}

// Plaintext came in: the peer is dialled first. An application that is refused sees a reset, not
// the proper end of an empty answer.
awaitable<problem> converse_with_application(stream_socket application, const address& target,
                                             shared_tunnel through, const connection_quotas& quotas,
                                             access_record& record, session_resources& shared) {
  std::shared_ptr<tls_stream> tls;
  auto peer = co_await reach_peer(tls, application.get_executor(), target, *through, quotas, record,
                                  shared);
  if (!peer) {
    reset(application);
    co_return peer.error();
  }
  co_return co_await relay(std::move(*peer), std::move(tls), std::move(application),
                           std::move(through), record.moved, shared.live);
}

// Endpoints are large, and a coroutine keeps what it has named to its end: not in those that wait.
using shared_addresses = std::shared_ptr<const connection_addresses>;

shared_addresses real_addresses(const stream_socket& accepted) {
  error_code ec;
  return std::make_shared<const connection_addresses>(accepted.remote_endpoint(ec),
                                                      accepted.local_endpoint(ec));
}

// An ingress connection before its handshake.
struct arrival {
  stream_socket socket;
  shared_place place;
  shared_addresses addresses;
  steady_time deadline;
};

// By the PROXY protocol, of a load balancer's connection; the place becomes its client's.
awaitable<result<shared_addresses>> ask_for_addresses(stream_socket& accepted,
                                                      session_resources& shared, shared_place place,
                                                      shared_addresses real, steady_time deadline) {
  const auto told = co_await proxy_protocol::receive(accepted, *real, deadline);
  if (!told) {
    co_return told.error();
  }
  if (place) {
    const auto attributed = place->attribute_to(shared.before_verdict->source_of(told->source));
    if (!attributed) {
      co_return attributed.error();
    }
  }
  co_return std::make_shared<const connection_addresses>(*told);
}

enum class input { there, none_yet, ended };

input look_for_input(stream_socket& socket) {
  char first = 0;
  error_code ec;
  const auto count =
      socket.receive(boost::asio::buffer(&first, 1), stream_socket::message_peek, ec);
  return count != 0                              ? input::there
         : ec == boost::asio::error::would_block ? input::none_yet
                                                 : input::ended;
}

// A connection costs little until its peer says something: its socket, a timer, some small frames.
awaitable<result<void>> wait_for_first_bytes(std::shared_ptr<arrival> from) {
  if (look_for_input(from->socket) == input::there) {
    co_return result<void>();
  }
  error_code ec;
  from->place->when_shed([weak = std::weak_ptr(from)] {
    error_code ignored;
    if (const auto alive = weak.lock()) {
      alive->socket.close(ignored);
    }
  });
  const time_limit limit(from->socket.get_executor(), from->deadline, [&from] {
    error_code ignored;
    from->socket.close(ignored);
  });
  auto found = input::none_yet;
  // Readiness may be reported without anything to read.
  while (!ec && found == input::none_yet) {
    co_await from->socket.async_wait(stream_socket::wait_read, resume_with(ec));
    found = look_for_input(from->socket);
  }
  if (const auto shed = from->place->why_shed()) {
    co_return *shed;
  }
  if (limit.has_expired()) {
    co_return failure(errc::handshake_timeout, "the peer has not sent a byte");
  }
  if (ec || found != input::there) {
    co_return failure(errc::peer_closed, "before its first byte");
  }
  from->place->when_shed(nullptr);
  co_return result<void>();
}

awaitable<> introduce(stream_socket& application, const tunnel& through, shared_addresses addresses,
                      const admitted_peer& peer, error_code& ec) {
  const auto header = proxy_protocol::header(through.sends_proxy_header, *addresses, peer);
  co_await send_all(application, header, ec);
}

// Where the peer comes from, as the tunnel's applications and the admission want to know it.
awaitable<result<void>> learn_addresses(arrival& from, const tunnel& through, access_record& record,
                                        session_resources& shared) {
  if (through.accepts_proxy_header || through.sends_proxy_header != proxy_protocol::version::none) {
    from.addresses = real_addresses(from.socket);
  }
  if (through.accepts_proxy_header) {
    auto told = co_await ask_for_addresses(from.socket, shared, from.place,
                                           std::move(from.addresses), from.deadline);
    if (!told) {
      co_return told.error();
    }
    from.addresses = std::move(*told);
    record.source = to_text(from.addresses->source);
  }
  co_return result<void>();
}

// Behind a load balancer the source is not known yet.
result<shared_place> take_place(stream_socket& accepted, const tunnel& through,
                                session_resources& shared) {
  error_code ec;
  const auto source = through.accepts_proxy_header
                          ? std::string()
                          : shared.before_verdict->source_of(accepted.remote_endpoint(ec));
  return shared.before_verdict->enter(source, accepted.get_executor());
}

// The peer has said something, it is known where it comes from, and its handshake may begin.
awaitable<result<void>> arrive(std::shared_ptr<arrival> from, const tunnel& through,
                               access_record& record, session_resources& shared) {
  auto outcome = co_await wait_for_first_bytes(from);
  if (outcome) {
    outcome = co_await learn_addresses(*from, through, record, shared);
  }
  if (outcome) {
    outcome = co_await from->place->begin_handshake(from->deadline);
  }
  if (!outcome) {
    reset(from->socket);
  }
  co_return outcome;
}

// TLS came in: the application is dialled last, after the verdict.
awaitable<problem> converse_with_peer(std::shared_ptr<arrival> from, shared_tunnel through,
                                      const connection_quotas& quotas, counted_connection& counted,
                                      access_record& record, session_resources& shared) {
  const auto executor = from->socket.get_executor();
  auto tls = std::make_shared<tls_stream>(std::move(from->socket), *through->tls, shared.turns,
                                          std::move(from->place));
  auto peer = co_await shake_hands(*tls, *through, from->deadline, record);
  if (!peer) {
    co_return peer.error();
  }
  const bool is_counted = co_await counted.take(quotas, executor, from->deadline);
  if (!is_counted) {
    co_return failure(errc::handshake_timeout, "no other connection ended (max_connections)");
  }
  auto dialled = co_await dial_target(executor, through->target, *through);
  if (!dialled) {
    co_return dialled.error();
  }
  if (through->sends_proxy_header != proxy_protocol::version::none) {
    error_code ec;
    co_await introduce(*dialled, *through, std::move(from->addresses), *peer, ec);
    if (ec) {
      co_return failure(errc::local_reset, ec.message());
    }
  }
  from.reset();
  co_return co_await relay(std::move(*peer), std::move(tls), std::move(*dialled),
                           std::move(through), record.moved, shared.live);
}

awaitable<problem> converse_ingress(stream_socket accepted, shared_tunnel through,
                                    const connection_quotas& quotas, counted_connection& counted,
                                    access_record& record, session_resources& shared) {
  auto place = take_place(accepted, *through, shared);
  if (!place) {
    reset(accepted);
    co_return place.error();
  }
  auto from = std::make_shared<arrival>(arrival{std::move(accepted), std::move(*place), nullptr,
                                                clock::now() + through->limits.handshake});
  auto arrived = co_await arrive(from, *through, record, shared);
  if (!arrived) {
    co_return arrived.error();
  }
  co_return co_await converse_with_peer(std::move(from), std::move(through), quotas, counted,
                                        record, shared);
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

awaitable<problem> converse_egress(stream_socket accepted, shared_tunnel through,
                                   const connection_quotas& quotas, access_record& record,
                                   session_resources& shared) {
  result<address> target = through->target;
  if (through->target.kind == address::scheme::original_destination) {
    target = original_destination(accepted, *through);
  }
  if (!target) {
    reset(accepted);
    co_return target.error();
  }
  record.destination = target->text();
  if (through->accepts_proxy_header) {
    auto told = co_await ask_for_addresses(accepted, shared, nullptr, real_addresses(accepted),
                                           clock::now() + through->limits.handshake);
    if (!told) {
      reset(accepted);
      co_return told.error();
    }
    record.source = to_text((*told)->source);
  }
  co_return co_await converse_with_application(std::move(accepted), *target, std::move(through),
                                               quotas, record, shared);
}

// No coroutine: it would have a frame.
awaitable<problem> converse(stream_socket accepted, shared_tunnel through,
                            const connection_quotas& quotas, counted_connection& counted,
                            access_record& record, session_resources& shared) {
  if (through->is_egress()) {
    return converse_egress(std::move(accepted), std::move(through), quotas, record, shared);
  }
  return converse_ingress(std::move(accepted), std::move(through), quotas, counted, record, shared);
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
    try {
      through->statistics->closed(record);
      log_connection(record);
    } catch (const std::exception&) {
      // Out of memory: the line is lost, the process is not.
    }
  }
};

}  // namespace

awaitable<> run_session(stream_socket& accepted, std::shared_ptr<const tunnel> through,
                        std::uint64_t number, const connection_quotas& quotas,
                        counted_connection& counted, session_resources& shared) {
  account_at_end account(through);
  access_record& record = account.record;
  record.connection = number;
  try {
    record.source = source_of(accepted);
    prepare(accepted, through->tcp);
    auto ended_by =
        co_await converse(std::move(accepted), std::move(through), quotas, counted, record, shared);
    record.problem = std::move(ended_by);
  } catch (const std::exception& e) {
    record.problem = failure(errc::internal, e.what());
  }
}

}  // namespace atls::proxy
