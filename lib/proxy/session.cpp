#include "proxy/session.hpp"

#include "proxy/log.hpp"
#include "proxy/relay.hpp"
#include "proxy/sockets.hpp"

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using tcp = asio::ip::tcp;

// The handshake, judged; nothing of the application has moved before this returns a peer.
asio::awaitable<result<admitted_peer>> shake_hands(tls_stream& tls, const tunnel& through,
                                                   access_record& record) {
  const auto started = clock::now();
  const auto finished = co_await tls.handshake(started + through.limits.handshake);
  record.handshake = clock::now() - started;
  record.evidence = tls.attestation().evidence_time();
  record.appraisal = tls.attestation().appraisal_time();
  if (!finished) {
    co_return finished.error();
  }
  auto peer = admitted_peer::admit(tls.attestation());
  if (peer) {
    record.peer = peer->name();
    record.verdict = peer->attested() ? "affirming" : "unattested";
    record.kid = peer->attested() ? to_hex(peer->attested()->kid()) : "";
  }
  co_return peer;
}

asio::awaitable<std::optional<failure>> relay_recorded(const admitted_peer& peer, tls_stream& tls,
                                                       tcp::socket& application,
                                                       const tunnel& through,
                                                       access_record& record) {
  auto outcome = co_await relay(peer, tls, application, through.limits);
  record.bytes_sent = outcome.bytes_sent;
  record.bytes_received = outcome.bytes_received;
  co_return std::move(outcome.problem);
}

// Plaintext came in: the peer is dialled first. An application that is refused sees a reset, not
// the proper end of an empty answer.
asio::awaitable<std::optional<failure>> converse_egress(tcp::socket application,
                                                        const tunnel& through,
                                                        access_record& record) {
  auto dialled = co_await dial(application.get_executor(), through.target,
                               clock::now() + through.limits.connect);
  if (!dialled) {
    reset(application);
    co_return dialled.error();
  }
  tls_stream tls(std::move(*dialled), *through.tls);
  const auto peer = co_await shake_hands(tls, through, record);
  if (!peer) {
    reset(application);
    co_return peer.error();
  }
  co_return co_await relay_recorded(*peer, tls, application, through, record);
}

// TLS came in: the application is dialled last, after the verdict.
asio::awaitable<std::optional<failure>> converse_ingress(tcp::socket accepted,
                                                         const tunnel& through,
                                                         access_record& record) {
  const auto executor = accepted.get_executor();
  tls_stream tls(std::move(accepted), *through.tls);
  const auto peer = co_await shake_hands(tls, through, record);
  if (!peer) {
    co_return peer.error();
  }
  auto dialled = co_await dial(executor, through.target, clock::now() + through.limits.connect);
  if (!dialled) {
    co_return dialled.error();
  }
  co_return co_await relay_recorded(*peer, tls, *dialled, through, record);
}

}  // namespace

asio::awaitable<void> run_session(tcp::socket accepted, std::shared_ptr<const tunnel> through,
                                  std::uint64_t number) {
  const auto started = clock::now();
  access_record record;
  record.connection = number;
  record.tunnel = through->name;
  record.role = through->is_egress() ? "egress" : "ingress";
  record.source = remote_address(accepted);
  record.destination = through->target.text();
  try {
    error_code ignored;
    accepted.set_option(tcp::no_delay(true), ignored);
    if (through->is_egress()) {
      record.problem = co_await converse_egress(std::move(accepted), *through, record);
    } else {
      record.problem = co_await converse_ingress(std::move(accepted), *through, record);
    }
  } catch (const std::exception& e) {
    record.problem = failure(errc::internal, e.what());
  }
  record.duration = clock::now() - started;
  log_connection(record);
}

}  // namespace atls::proxy
