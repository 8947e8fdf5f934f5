#include "proxy/session.hpp"

#include "proxy/log.hpp"
#include "proxy/relay.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using tcp = asio::ip::tcp;

constexpr auto dial_retry_interval = std::chrono::milliseconds(100);

asio::awaitable<error_code> try_dial(tcp::socket& socket, const host_and_port& target) {
  tcp::resolver resolver(socket.get_executor());
  error_code ec;
  const auto addresses = co_await resolver.async_resolve(
      target.host, target.port, asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) {
    co_await asio::async_connect(socket, addresses, asio::redirect_error(asio::use_awaitable, ec));
  }
  co_return ec;
}

// Tries again until the deadline, so that it does not matter what is started first.
asio::awaitable<result<tcp::socket>> dial(asio::any_io_executor executor,
                                          const host_and_port& target, steady_time deadline) {
  using namespace asio::experimental::awaitable_operators;
  tcp::socket socket(executor);
  asio::steady_timer limit(executor, deadline);
  asio::steady_timer pause(executor);
  std::string last_error = "timed out";
  while (clock::now() < deadline) {
    const auto outcome = co_await (try_dial(socket, target) ||
                                   limit.async_wait(asio::as_tuple(asio::use_awaitable)));
    if (outcome.index() == 1) {
      break;
    }
    const error_code ec = std::get<0>(outcome);
    if (!ec) {
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      co_return std::move(socket);
    }
    last_error = ec.message();
    socket.close();
    pause.expires_at(std::min(deadline, clock::now() + dial_retry_interval));
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return failure(errc::target_unreachable, target.text() + ": " + last_error);
}

std::string address_of(const tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) {
    return "unknown";
  }
  return host_and_port{endpoint.address().to_string(), std::to_string(endpoint.port())}.text();
}

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

// Hands shaken and bytes relayed, or why not.
asio::awaitable<std::optional<failure>> converse(tcp::socket accepted, const tunnel& through,
                                                 access_record& record) {
  const auto executor = accepted.get_executor();
  std::optional<tls_stream> tls;
  std::optional<tcp::socket> application;
  if (through.is_egress()) {
    auto dialled = co_await dial(executor, through.target, clock::now() + through.limits.connect);
    if (!dialled) {
      co_return dialled.error();
    }
    application.emplace(std::move(accepted));
    tls.emplace(std::move(*dialled), *through.tls);
  } else {
    tls.emplace(std::move(accepted), *through.tls);
  }

  const auto peer = co_await shake_hands(*tls, through, record);
  if (!peer) {
    co_return peer.error();
  }
  if (!application) {
    auto dialled = co_await dial(executor, through.target, clock::now() + through.limits.connect);
    if (!dialled) {
      co_return dialled.error();
    }
    application.emplace(std::move(*dialled));
  }
  const auto outcome = co_await relay(*peer, *tls, *application, through.limits);
  record.bytes_sent = outcome.bytes_sent;
  record.bytes_received = outcome.bytes_received;
  co_return outcome.problem;
}

}  // namespace

asio::awaitable<void> run_session(tcp::socket accepted, std::shared_ptr<const tunnel> through,
                                  std::uint64_t number) {
  const auto started = clock::now();
  access_record record;
  record.connection = number;
  record.tunnel = through->name;
  record.role = through->is_egress() ? "egress" : "ingress";
  record.source = address_of(accepted);
  record.destination = through->target.text();
  try {
    error_code ignored;
    accepted.set_option(tcp::no_delay(true), ignored);
    record.problem = co_await converse(std::move(accepted), *through, record);
  } catch (const std::exception& e) {
    record.problem = failure(errc::internal, e.what());
  }
  record.duration = clock::now() - started;
  log_connection(record);
}

}  // namespace atls::proxy
