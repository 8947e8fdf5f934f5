#include "proxy/relay.hpp"

#include "core/buffers.hpp"
#include "proxy/sockets.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

struct exchange {
  tls_stream& tls;
  tcp::socket& application;
  const time_limits& limits;
  relay_outcome outcome{};
  steady_time last_moved = std::chrono::steady_clock::now();
  int directions_ended = 0;

  void moved() { last_moved = std::chrono::steady_clock::now(); }

  void fail(failure why) {
    if (!outcome.problem) {
      outcome.problem = std::move(why);
      reset(application);
      tls.abort();
    }
  }
};

asio::awaitable<void> send_to_peer(exchange& x) {
  read_buffer buffer;
  for (;;) {
    error_code ec;
    const auto space = buffer.space();
    const auto size = co_await x.application.async_read_some(
        asio::buffer(space.data(), space.size()), asio::redirect_error(asio::use_awaitable, ec));
    x.moved();
    if (ec == asio::error::eof) {
      const auto finished = co_await x.tls.finish();
      if (!finished) {
        x.fail(finished.error());
      }
      break;
    }
    if (ec) {
      x.fail(failure(errc::local_reset, ec.message()));
      break;
    }
    const auto written = co_await x.tls.write(space.first(size));
    if (!written) {
      x.fail(written.error());
      break;
    }
    x.outcome.bytes_sent += size;
    x.moved();
    buffer.fit(size);
  }
  ++x.directions_ended;
}

asio::awaitable<void> receive_from_peer(exchange& x) {
  read_buffer buffer;
  for (;;) {
    const auto space = buffer.space();
    const auto size = co_await x.tls.read(space);
    x.moved();
    if (!size) {
      x.fail(size.error());
      break;
    }
    error_code ec;
    if (*size == 0) {
      x.application.shutdown(tcp::socket::shutdown_send, ec);
      break;
    }
    co_await asio::async_write(x.application, asio::buffer(space.data(), *size),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      x.fail(failure(errc::local_reset, ec.message()));
      break;
    }
    x.outcome.bytes_received += *size;
    x.moved();
    buffer.fit(*size);
  }
  ++x.directions_ended;
}

// Ends the exchange when nothing has moved for too long.
asio::awaitable<void> watch_idleness(exchange& x) {
  asio::steady_timer timer(x.application.get_executor());
  for (;;) {
    const auto limit =
        x.directions_ended == 0 ? x.limits.idle : std::min(x.limits.idle, x.limits.half_closed);
    const auto deadline = x.last_moved + limit;
    if (std::chrono::steady_clock::now() >= deadline) {
      x.fail(failure(errc::idle_timeout, std::to_string(limit.count()) + " ms"));
      // The directions end with their sockets; until then this one must not win the race.
      timer.expires_at(steady_time::max());
    } else {
      timer.expires_at(std::min(deadline, std::chrono::steady_clock::now() + x.limits.half_closed));
    }
    error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_return;
    }
  }
}

}  // namespace

asio::awaitable<relay_outcome> relay(const admitted_peer&, tls_stream& tls,
                                     tcp::socket& application, const time_limits& limits) {
  using namespace asio::experimental::awaitable_operators;
  exchange x{tls, application, limits};
  co_await ((send_to_peer(x) && receive_from_peer(x)) || watch_idleness(x));
  co_return std::move(x.outcome);
}

}  // namespace atls::proxy
