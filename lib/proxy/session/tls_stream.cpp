#include "proxy/session/tls_stream.hpp"

#include "core/requester.hpp"

namespace atls::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// The checks that need no Verifier take a fraction of it.
constexpr auto time_for_a_verdict = std::chrono::milliseconds(100);

}  // namespace

tls_stream::tls_stream(stream_socket socket, const tls::context& context, handshake_turns& turns,
                       std::shared_ptr<admission::place> place)
    : socket_(std::move(socket)),
      turns_(turns),
      place_(std::move(place)),
      suspension_(std::make_shared<suspension>(socket_.get_executor())),
      turn_(std::make_shared<handshake_turns::waiter>(socket_.get_executor())),
      engine_(std::make_unique<tls::engine>(context, input_,
                                            [wake = suspension_->wake] { wake->raise(); })),
      sent_(socket_.get_executor()) {}

awaitable<result<void>> tls_stream::handshake(steady_time deadline) {
  const time_limit limit(socket_.get_executor(), deadline, [this] { abort(); });
  if (place_) {
    place_->when_shed([weak = weak_from_this()] {
      if (const auto alive = weak.lock()) {
        alive->abort();
      }
    });
  }
  auto outcome = co_await drive_handshake();
  if (limit.has_expired()) {
    co_return failure(errc::handshake_timeout);
  }
  if (const auto shed = place_ ? place_->why_shed() : std::nullopt) {
    co_return *shed;
  }
  co_return outcome;
}

awaitable<result<void>> tls_stream::drive_handshake() {
  using step = tls::engine::step;
  for (;;) {
    const auto reached = co_await advance_in_turn();
    if (is_aborted_) {
      co_return failure(errc::cancelled);
    }
    // Flights before a suspension and alerts after a failure go out too.
    error_code ec;
    if (const bytes flight = engine_->take_output(); !flight.empty()) {
      co_await send_all(socket_, flight, ec);
    }
    if (reached == step::failed) {
      co_return engine_->why_failed();
    }
    if (ec) {
      co_return failure(errc::peer_closed, ec.message());
    }
    if (reached == step::done) {
      co_return result<void>();
    }
    if (reached == step::suspended) {
      const auto resumable = co_await wait_until_resumable();
      if (!resumable) {
        co_return resumable.error();
      }
      continue;
    }
    if (place_) {
      place_->waits_for_peer(true);
    }
    co_await receive(socket_, input_, ec);
    if (place_) {
      place_->waits_for_peer(false);
    }
    if (ec) {
      co_return failure(errc::peer_closed, "during the handshake: " + ec.message());
    }
  }
}

awaitable<tls::engine::step> tls_stream::advance_in_turn() {
  static const std::string our_own;
  const std::string& source = place_ ? place_->source() : our_own;
  const bool is_our_turn = co_await turns_.take(turn_, source);
  if (!is_our_turn) {
    co_return tls::engine::step::failed;
  }
  const struct turn {
    handshake_turns& of;
    ~turn() { of.give_back(); }
  } ours{turns_};
  const requester::scope on_behalf_of(source);
  co_return engine_->advance();
}

awaitable<result<void>> tls_stream::wait_until_resumable() {
  // The bytes of a peer that sends more than this are left where they are, and its end unseen.
  constexpr std::size_t enough_bytes = buffer::record_size_bytes;
  if (!suspension_->is_peer_watched && input_.filled().size() < enough_bytes) {
    suspension_->is_peer_watched = true;
    socket_.async_wait(stream_socket::wait_read, [of = suspension_](error_code ec) {
      of->is_peer_watched = false;
      of->has_peer_stirred = !ec;
      if (!ec) {
        of->wake->raise_here();
      }
    });
  }
  co_await suspension_->wake->wait();
  if (is_aborted_) {
    co_return failure(errc::cancelled);
  }
  if (!std::exchange(suspension_->has_peer_stirred, false) || take_early_bytes()) {
    co_return result<void>();
  }
  // A peer that leaves as soon as it has shown its Evidence is still told apart from others.
  if (engine_->attestation().awaits_verdict()) {
    const bool is_resumable =
        co_await suspension_->wake->wait(std::chrono::steady_clock::now() + time_for_a_verdict);
    if (is_resumable && !is_aborted_) {
      co_return result<void>();
    }
  }
  co_return failure(errc::peer_closed, "while its handshake was being worked on");
}

bool tls_stream::take_early_bytes() {
  error_code ec;
  const auto room = input_.room_to_wait();
  const auto count = socket_.read_some(asio::buffer(room.data(), room.size()), ec);
  input_.add(count);
  return !ec || ec == asio::error::would_block;
}

void tls_stream::establish() {
  records_.emplace(engine_->establish());
  suspension_.reset();
  turn_.reset();
  place_.reset();
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
  engine_.reset();
  if (place_) {
    place_->end_handshake();
  }
  input_.consume(input_.filled().size());
  error_code ec;
  socket_.shutdown(stream_socket::shutdown_send, ec);
  std::size_t discarded = 0;
  while (!ec && !is_aborted_ && discarded < max_discarded_bytes) {
    const auto until = std::min(std::chrono::steady_clock::now() + quiet, deadline);
    const time_limit limit(socket_.get_executor(), until, [this] { abort(); });
    const auto room = input_.room_to_wait();
    discarded +=
        co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), resume_with(ec));
  }
}

void tls_stream::abort() {
  is_aborted_ = true;
  error_code ignored;
  socket_.close(ignored);
  if (suspension_) {
    suspension_->wake->raise_here();
    turn_->cancel();
  }
}

}  // namespace atls::proxy
