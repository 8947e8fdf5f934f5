#include "proxy/relay.hpp"

#include "proxy/sockets.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;

// Shared by the two directions and the watch, which may outlive one another.
struct exchange {
  std::shared_ptr<tls_stream> tls;
  stream_socket application;
  time_limits limits;
  timer idle{application.get_executor()};
  wake_up direction_ended{application.get_executor()};
  traffic& counted;
  std::optional<failure> problem{};
  steady_time last_moved = clock::now();
  int directions_ended = 0;

  void moved() { last_moved = clock::now(); }

  void fail(failure why) {
    if (!problem) {
      problem = std::move(why);
      reset(application);
      tls->abort();
    }
  }
};

using shared_exchange = std::shared_ptr<exchange>;

awaitable<> send_to_peer(exchange& x) {
  receive_buffer input;
  for (;;) {
    error_code ec;
    co_await receive(x.application, input, ec);
    if (ec == asio::error::eof) {
      const auto finished = co_await x.tls->finish();
      if (!finished) {
        x.fail(finished.error());
      }
      co_return;
    }
    if (ec) {
      x.fail(failure(errc::local_reset, ec.message()));
      co_return;
    }
    const auto size = input.filled().size();
    const auto written = co_await x.tls->write(input.filled());
    if (!written) {
      x.fail(written.error());
      co_return;
    }
    input.consume(size);
    x.counted.bytes_sent += size;
    x.moved();
  }
}

awaitable<> receive_from_peer(exchange& x) {
  for (;;) {
    const auto pieces = co_await x.tls->read();
    error_code ec;
    if (!pieces) {
      x.fail(pieces.error());
      co_return;
    }
    if (pieces->empty()) {
      x.application.shutdown(stream_socket::shutdown_send, ec);
      co_return;
    }
    std::size_t sent = 0;
    const auto first = pieces->front();
    if (pieces->size() > 1) {
      sent = co_await send_all(x.application, *pieces, ec);
    } else if (sent = send_some(x.application, first, ec); !ec && sent < first.size()) {
      sent += co_await send_all(x.application, first.subspan(sent), ec);
    }
    x.counted.bytes_received += sent;
    if (ec) {
      x.fail(failure(errc::local_reset, ec.message()));
      co_return;
    }
    x.moved();
  }
}

awaitable<> run_direction(shared_exchange x, awaitable<> (*direction)(exchange&)) {
  try {
    co_await direction(*x);
  } catch (const std::exception& e) {
    x->fail(failure(errc::internal, e.what()));
  }
  x->moved();
  ++x->directions_ended;
  x->direction_ended.raise_here();
}

// Ends the exchange when nothing has moved for too long.
void watch_idleness(const shared_exchange& x) {
  const bool is_open = x->directions_ended == 0;
  const auto limit = is_open ? x->limits.idle : std::min(x->limits.idle, x->limits.half_closed);
  const auto now = clock::now();
  if (now >= x->last_moved + limit) {
    x->fail(failure(errc::idle_timeout, std::to_string(limit.count()) + " ms"));
    return;
  }
  // No later than half_closed from now: a direction may end in between.
  x->idle.expires_at(std::min(x->last_moved + limit, now + x->limits.half_closed));
  x->idle.async_wait([weak = std::weak_ptr(x)](error_code ec) {
    if (const auto alive = weak.lock(); alive && !ec) {
      watch_idleness(alive);
    }
  });
}

}  // namespace

awaitable<std::optional<failure>> relay(const admitted_peer&, std::shared_ptr<tls_stream> tls,
                                        stream_socket application, time_limits limits,
                                        traffic& moved) {
  const auto x = std::make_shared<exchange>(exchange{.tls = std::move(tls),
                                                     .application = std::move(application),
                                                     .limits = limits,
                                                     .counted = moved});
  watch_idleness(x);
  asio::co_spawn(x->application.get_executor(), run_direction(x, send_to_peer), asio::detached);
  co_await run_direction(x, receive_from_peer);
  while (x->directions_ended < 2) {
    co_await x->direction_ended.wait();
  }
  x->idle.cancel();
  co_return std::move(x->problem);
}

}  // namespace atls::proxy
