#include "proxy/relay/relay.hpp"

#include "core/text.hpp"
#include "proxy/sockets.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;

// For how long nothing has moved when a connection may be closed without cutting anything.
constexpr auto idle_moment = std::chrono::seconds(1);

// Shared by the two directions and the watch, which may outlive one another.
struct exchange final : live_connections::member, std::enable_shared_from_this<exchange> {
  exchange(std::shared_ptr<const tunnel> through, admitted_peer peer,
           std::shared_ptr<tls_stream> with_peer, stream_socket with_application, traffic& moved)
      : member(std::move(through), std::move(peer)),
        tls(std::move(with_peer)),
        application(std::move(with_application)),
        counted(moved) {}

  std::shared_ptr<tls_stream> tls;
  stream_socket application;
  timer watch_timer{application.get_executor()};
  wake_up direction_ended{application.get_executor()};
  traffic& counted;
  std::optional<failure> problem;
  steady_time last_moved = clock::now();
  int directions_ended = 0;
  /// Directions that have bytes in hand.
  int carrying = 0;

  void sent_to_peer(std::size_t count) {
    counted.bytes_sent += count;
    through().statistics->sent(count);
    last_moved = clock::now();
  }

  void received_from_peer(std::size_t count) {
    counted.bytes_received += count;
    through().statistics->received(count);
    last_moved = clock::now();
  }

  void fail(failure why) {
    if (!problem) {
      disconnect_application(std::move(why));
      tls->abort();
    }
  }

  void disconnect_application(failure why) {
    problem = std::move(why);
    reset(application);
  }

  void end(failure why) override { fail(std::move(why)); }
  void moved_to_new_configuration() override { watch(); }

  /// Ends the exchange when nothing has moved for too long, the peer's certificate has expired, or
  /// the verdict on the peer has grown too old.
  void watch();

 private:
  /// When it is to be looked at next; nullopt if it was ended.
  std::optional<steady_time> watch_idleness(steady_time now);
  std::optional<steady_time> watch_certificate(steady_time now);
  std::optional<steady_time> watch_result_age(steady_time now);
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
    ++x.carrying;
    const auto written = co_await x.tls->write(input.filled());
    --x.carrying;
    if (!written) {
      x.fail(written.error());
      co_return;
    }
    input.consume(size);
    x.sent_to_peer(size);
  }
}

awaitable<> let_peer_read_alert(exchange& x, failure why) {
  x.disconnect_application(std::move(why));
  const auto& limits = x.through().limits;
  co_await x.tls->linger(limits.close, clock::now() + limits.handshake);
  x.tls->abort();
}

awaitable<> receive_from_peer(exchange& x) {
  for (;;) {
    const auto pieces = co_await x.tls->read();
    error_code ec;
    if (!pieces && pieces.error().code == errc::record_invalid && !x.problem) {
      co_await let_peer_read_alert(x, pieces.error());
      co_return;
    }
    if (!pieces) {
      x.fail(pieces.error());
      co_return;
    }
    if (pieces->empty()) {
      x.application.shutdown(stream_socket::shutdown_send, ec);
      co_return;
    }
    std::size_t sent = 0;
    ++x.carrying;
    const auto first = pieces->front();
    if (pieces->size() > 1) {
      sent = co_await send_all(x.application, *pieces, ec);
    } else if (sent = send_some(x.application, first, ec); !ec && sent < first.size()) {
      sent += co_await send_all(x.application, first.subspan(sent), ec);
    }
    --x.carrying;
    x.received_from_peer(sent);
    if (ec) {
      x.fail(failure(errc::local_reset, ec.message()));
      co_return;
    }
  }
}

awaitable<> run_direction(shared_exchange x, awaitable<> (*direction)(exchange&)) {
  try {
    co_await direction(*x);
  } catch (const std::exception& e) {
    x->fail(failure(errc::internal, e.what()));
  }
  x->last_moved = clock::now();
  ++x->directions_ended;
  x->direction_ended.raise_here();
}

void exchange::watch() {
  const auto now = clock::now();
  const auto idle = watch_idleness(now);
  const auto certificate = watch_certificate(now);
  const auto age = watch_result_age(now);
  if (problem) {
    return;
  }
  watch_timer.expires_at(std::min({*idle, *certificate, *age}));
  watch_timer.async_wait([weak = weak_from_this()](error_code ec) {
    if (const auto alive = weak.lock(); alive && !ec) {
      alive->watch();
    }
  });
}

std::optional<steady_time> exchange::watch_idleness(steady_time now) {
  const auto& limits = through().limits;
  const bool may_idle = limits.idle.count() == 0;
  const bool by_half_closed =
      directions_ended != 0 && (may_idle || limits.half_closed < limits.idle);
  // No later than half_closed from now: a direction may end in between.
  const auto next_look = now + limits.half_closed;
  if (may_idle && !by_half_closed) {
    return next_look;
  }
  const auto limit = by_half_closed ? limits.half_closed : limits.idle;
  if (now >= last_moved + limit) {
    fail(failure(errc::idle_timeout,
                 "no byte for " + std::to_string(limit.count()) +
                     (by_half_closed ? " ms after one side had ended (timeouts.half_closed)"
                                     : " ms (timeouts.idle)")));
    return std::nullopt;
  }
  return std::min(last_moved + limit, next_look);
}

std::optional<steady_time> exchange::watch_certificate(steady_time now) {
  const auto expires = peer().judged().expires;
  const auto time = std::chrono::system_clock::now();
  if (time >= expires) {
    fail(failure(errc::pki_expired, "at " + rfc3339(expires) + "; it is " + rfc3339(time)));
    return std::nullopt;
  }
  return expires == std::chrono::system_clock::time_point::max() ? steady_time::max()
                                                                 : now + (expires - time);
}

std::optional<steady_time> exchange::watch_result_age(steady_time now) {
  const auto& limits = through().limits;
  if (!peer().attested() || limits.result_age.count() == 0) {
    return steady_time::max();
  }
  const auto age = std::chrono::system_clock::now() - peer().attested()->result().issued_at();
  const auto due = now + (limits.result_age - age);
  const auto overdue = now + (limits.hard_result_age - age);
  const bool is_idle = carrying == 0 && now >= last_moved + idle_moment;
  if (now >= overdue || (now >= due && is_idle)) {
    fail(failure(errc::result_too_old,
                 std::to_string(std::chrono::floor<std::chrono::seconds>(age).count()) +
                     " s, allowed are " + std::to_string(limits.result_age.count() / 1000) + " s"));
    return std::nullopt;
  }
  return std::min(overdue, std::max(due, now + idle_moment));
}

}  // namespace

awaitable<std::optional<failure>> relay(admitted_peer peer, std::shared_ptr<tls_stream> tls,
                                        stream_socket application,
                                        std::shared_ptr<const tunnel> through, traffic& moved,
                                        live_connections& among) {
  const auto x = std::make_shared<exchange>(std::move(through), std::move(peer), std::move(tls),
                                            std::move(application), moved);
  among.join(*x);
  x->watch();
  asio::co_spawn(x->application.get_executor(), run_direction(x, send_to_peer), asio::detached);
  co_await run_direction(x, receive_from_peer);
  while (x->directions_ended < 2) {
    co_await x->direction_ended.wait();
  }
  x->watch_timer.cancel();
  co_return std::move(x->problem);
}

}  // namespace atls::proxy
