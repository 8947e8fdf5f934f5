#include "proxy/tls_stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

namespace atls::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

tls_stream::tls_stream(stream_socket socket, const tls::context& context)
    : socket_(std::move(socket)),
      resumable_(std::make_shared<wake_up>(socket_.get_executor())),
      engine_(
          std::make_unique<tls::engine>(context, input_, [wake = resumable_] { wake->raise(); })),
      sent_(socket_.get_executor()) {}

awaitable<result<void>> tls_stream::handshake(steady_time deadline) {
  timer limit(socket_.get_executor(), deadline);
  abort_when_expired(limit);
  auto outcome = co_await drive_handshake();
  co_await end_limit(limit);
  if (timed_out_) {
    co_return failure(errc::handshake_timeout);
  }
  co_return outcome;
}

void tls_stream::abort_when_expired(timer& limit) {
  limit.async_wait([this](error_code ec) {
    if (!ec) {
      timed_out_ = true;
      abort();
    }
  });
}

awaitable<> tls_stream::end_limit(timer& limit) {
  // A timer that has fired has its handler queued: it must not find `this` gone.
  if (limit.cancel() == 0 && !timed_out_) {
    error_code ignored;
    co_await asio::post(socket_.get_executor(), resume_with(ignored));
  }
}

awaitable<result<void>> tls_stream::drive_handshake() {
  using step = tls::engine::step;
  for (;;) {
    const auto reached = engine_->advance();
    // Flights before a suspension and alerts after a failure go out too.
    error_code ec;
    if (const bytes flight = engine_->take_output(); !flight.empty()) {
      co_await send_all(socket_, flight, ec);
    }
    if (reached == step::failed) {
      co_return engine_->why_failed();
    }
    if (timed_out_) {
      co_return failure(errc::handshake_timeout);
    }
    if (ec) {
      co_return failure(errc::peer_closed, ec.message());
    }
    if (reached == step::done) {
      co_return result<void>();
    }
    if (reached == step::suspended) {
      co_await resumable_->wait();
      if (timed_out_) {
        co_return failure(errc::handshake_timeout);
      }
      continue;
    }
    co_await receive(socket_, input_, ec);
    if (ec) {
      co_return failure(errc::peer_closed, "during the handshake: " + ec.message());
    }
  }
}

void tls_stream::establish() {
  records_.emplace(engine_->establish());
  resumable_.reset();
  if (!engine_->awaits_ticket()) {
    forget_handshake();
  }
}

void tls_stream::forget_handshake() {
  engine_.reset();
  trim_memory_at_times();
}

void tls_stream::look_for_ticket() {
  constexpr std::size_t max_ticket_record = 2048;
  if (const auto size = tls::record_layer::first_record(input_.filled())) {
    if (*size <= max_ticket_record) {
      // A copy: records_ will decrypt it in place.
      engine_->take_ticket(to_bytes(input_.filled().first(*size)));
    }
    forget_handshake();
  }
}

awaitable<result<std::span<const bytes_view>>> tls_stream::read() {
  pieces_.clear();
  input_.consume(std::exchange(opened_, 0));
  for (;;) {
    if (engine_) {
      look_for_ticket();
    }
    const auto opened = records_->open(input_.filled(), pieces_);
    if (records_->owes_records() && !is_sending_) {
      const auto flushed = co_await flush();
      if (opened && !flushed) {
        co_return flushed.error();
      }
    }
    if (!opened) {
      co_return opened.error();
    }
    if (!pieces_.empty() || records_->peer_finished()) {
      opened_ = *opened;
      co_return std::span<const bytes_view>(pieces_);
    }
    input_.consume(*opened);
    error_code ec;
    co_await receive(socket_, input_, ec);
    if (ec) {
      co_return failure(ec == asio::error::eof ? errc::truncated : errc::peer_closed, ec.message());
    }
  }
}

awaitable<result<void>> tls_stream::write(bytes_view from) {
  while (!from.empty()) {
    while (is_sending_) {
      co_await sent_.wait();
    }
    const auto room = output_.room();
    const auto sealed = records_->seal(from, room.first(room.size() - tls::record_layer::max_owed));
    output_.add(sealed.records);
    from = from.subspan(sealed.plaintext);
    error_code ec;
    output_.sent(send_some(socket_, output_.waiting(), ec));
    if (ec) {
      co_return failure(errc::peer_closed, ec.message());
    }
    if (!output_.empty() || records_->owes_records()) {
      auto flushed = co_await flush();
      if (!flushed) {
        co_return flushed;
      }
    }
  }
  co_return result<void>();
}

awaitable<result<void>> tls_stream::finish() {
  records_->finish();
  co_return co_await flush();
}

awaitable<result<void>> tls_stream::flush() {
  while (is_sending_) {
    co_await sent_.wait();
  }
  is_sending_ = true;
  error_code ec;
  for (;;) {
    if (records_->owes_records()) {
      output_.add(records_->seal_owed(output_.room()));
    }
    if (output_.empty() || ec) {
      break;
    }
    const auto waiting = output_.waiting();
    co_await send_all(socket_, waiting, ec);
    output_.sent(waiting.size());
  }
  is_sending_ = false;
  sent_.raise_here();
  co_return ec ? result<void>(failure(errc::peer_closed, ec.message())) : result<void>();
}

awaitable<> tls_stream::linger(std::chrono::milliseconds quiet, steady_time deadline) {
  constexpr std::size_t max_discarded_bytes = 1 << 20;
  using clock = std::chrono::steady_clock;
  engine_.reset();
  input_.consume(input_.filled().size());
  error_code ec;
  socket_.shutdown(stream_socket::shutdown_send, ec);
  std::size_t discarded = 0;
  while (!ec && !timed_out_ && discarded < max_discarded_bytes) {
    timer limit(socket_.get_executor(), std::min(clock::now() + quiet, deadline));
    abort_when_expired(limit);
    const auto room = input_.room_to_wait();
    discarded +=
        co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), resume_with(ec));
    co_await end_limit(limit);
  }
}

void tls_stream::abort() {
  error_code ignored;
  socket_.close(ignored);
  if (resumable_) {
    resumable_->raise_here();
  }
}

}  // namespace atls::proxy
