#include "proxy/tls_stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace atls::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

void wake_up::raise() {
  asio::post(timer_.get_executor(), [self = weak_from_this()] {
    if (const auto alive = self.lock()) {
      alive->raise_here();
    }
  });
}

void wake_up::raise_here() {
  raised_ = true;
  timer_.cancel();
}

asio::awaitable<void> wake_up::wait() {
  while (!raised_) {
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  raised_ = false;
}

tls_stream::tls_stream(tcp::socket socket, const tls::context& context)
    : socket_(std::move(socket)),
      resumable_(std::make_shared<wake_up>(socket_.get_executor())),
      engine_(context, [wake = resumable_] { wake->raise(); }),
      sent_(socket_.get_executor()) {}

asio::awaitable<result<void>> tls_stream::handshake(steady_time deadline) {
  asio::steady_timer limit(socket_.get_executor(), deadline);
  limit.async_wait([this](error_code ec) {
    if (!ec) {
      timed_out_ = true;
      abort();
    }
  });
  auto outcome = co_await drive_handshake();
  // A timer that has fired has its handler queued: it must not find `this` gone.
  if (limit.cancel() == 0 && !timed_out_) {
    error_code ignored;
    co_await asio::post(socket_.get_executor(), asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (timed_out_) {
    co_return failure(errc::handshake_timeout);
  }
  co_return outcome;
}

asio::awaitable<result<void>> tls_stream::drive_handshake() {
  for (;;) {
    const auto step = engine_.advance_handshake();
    // Flights before a suspension and alerts after a failure go out too.
    const error_code sent = co_await flush();
    if (step == tls::engine::step::failed) {
      co_return engine_.handshake_failure();
    }
    if (timed_out_) {
      co_return failure(errc::handshake_timeout);
    }
    if (sent) {
      co_return failure(errc::peer_closed, sent.message());
    }
    if (step == tls::engine::step::done) {
      co_return result<void>();
    }
    if (step == tls::engine::step::suspended) {
      co_await resumable_->wait();
      if (timed_out_) {
        co_return failure(errc::handshake_timeout);
      }
      continue;
    }
    const auto space = engine_.input_space();
    error_code ec;
    const auto size = co_await socket_.async_read_some(
        asio::buffer(space.data(), space.size()), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_return failure(errc::peer_closed, "during the handshake: " + ec.message());
    }
    engine_.input_filled(size);
  }
}

asio::awaitable<result<std::size_t>> tls_stream::read(std::span<std::uint8_t> to) {
  for (;;) {
    auto size = engine_.read(to);
    if (!size) {
      (void)co_await flush();  // the alert
      co_return size;
    }
    if (engine_.has_output()) {
      // The answer to a KeyUpdate; reading waits, so that a flood of them is the sender's problem.
      const error_code ec = co_await flush();
      if (ec) {
        co_return failure(errc::peer_closed, ec.message());
      }
    }
    if (*size != 0 || engine_.peer_finished()) {
      co_return size;
    }
    const auto space = engine_.input_space();
    error_code ec;
    const auto received = co_await socket_.async_read_some(
        asio::buffer(space.data(), space.size()), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_return failure(ec == asio::error::eof ? errc::truncated : errc::peer_closed, ec.message());
    }
    engine_.input_filled(received);
  }
}

asio::awaitable<result<void>> tls_stream::write(bytes_view from) {
  if (const auto encrypted = engine_.write(from); !encrypted) {
    co_return encrypted.error();
  }
  const error_code ec = co_await flush();
  if (ec) {
    co_return failure(errc::peer_closed, ec.message());
  }
  co_return result<void>();
}

asio::awaitable<result<void>> tls_stream::finish() {
  engine_.finish();
  const error_code ec = co_await flush();
  if (ec) {
    co_return failure(errc::peer_closed, ec.message());
  }
  co_return result<void>();
}

asio::awaitable<error_code> tls_stream::flush() {
  while (is_sending_) {
    co_await sent_.wait();
  }
  is_sending_ = true;
  error_code ec;
  while (engine_.has_output() && !ec) {
    bytes records = engine_.take_output();
    co_await asio::async_write(socket_, asio::buffer(records),
                               asio::redirect_error(asio::use_awaitable, ec));
    return_pooled_bytes(std::move(records));
  }
  is_sending_ = false;
  sent_.raise_here();
  co_return ec;
}

void tls_stream::abort() {
  error_code ignored;
  socket_.close(ignored);
  resumable_->raise_here();
}

}  // namespace atls::proxy
