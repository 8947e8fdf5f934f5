// A socket and TLS on it: the coroutines that move records between them.
#pragma once

#include "proxy/listen/admission.hpp"
#include "proxy/session/handshake_turns.hpp"
#include "proxy/sockets.hpp"
#include "tls/engine.hpp"

namespace atls::proxy {

class tls_stream : public std::enable_shared_from_this<tls_stream> {
 public:
  /// `place` is that of a peer who came to us, null if we dialled. `turns` must outlive it.
  tls_stream(stream_socket socket, const tls::context& context, handshake_turns& turns,
             std::shared_ptr<admission::place> place);

  /// The whole handshake, or why there is none. After a failure the alert has been sent.
  awaitable<result<void>> handshake(steady_time deadline);
  /// Until establish().
  tls::handshake& attestation() noexcept { return engine_->attestation(); }
  /// After a handshake: bytes may pass, and what the handshake needed is given back.
  void establish();

  /// Application data as it came, in order; the pieces are valid until the next call. None after
  /// the peer's close_notify. `truncated` if the connection ended without one.
  awaitable<result<std::span<const bytes_view>>> read();
  /// Returns when all of it is with the kernel.
  awaitable<result<void>> write(bytes_view from);
  /// Sends close_notify; reading goes on.
  awaitable<result<void>> finish();

  /// Our direction ends, and what the peer still sends is discarded until it ends too, has been
  /// quiet for a while, the deadline has come or more came than a handshake takes: a close with
  /// input under way would reset the connection, and with it the alert that was sent last (RFC 8446
  /// section 6.1). Nothing but abort() may follow.
  awaitable<> linger(std::chrono::milliseconds quiet, steady_time deadline);
  /// Ends every pending operation.
  void abort();
  bool is_aborted() const noexcept { return is_aborted_; }

 private:
  awaitable<result<void>> drive_handshake();
  /// The engine's next step, in its turn; `failed` if the stream was aborted while it waited.
  awaitable<tls::engine::step> advance_in_turn();
  /// Until the handshake can go on; peer_closed if its peer goes away meanwhile.
  awaitable<result<void>> wait_until_resumable();
  /// Takes what the peer sends while the handshake waits for something else, so that its end is
  /// seen. False if it has ended.
  bool take_early_bytes();
  /// A client's first record may bring what the next connection resumes.
  void look_for_ticket();
  void forget_handshake();
  awaitable<result<void>> flush();

  /// Why a suspended handshake wakes up.
  struct suspension {
    explicit suspension(const executor& where) : wake(std::make_shared<wake_up>(where)) {}
    const std::shared_ptr<wake_up> wake;
    bool is_peer_watched = false;
    bool has_peer_stirred = false;
  };

  stream_socket socket_;
  handshake_turns& turns_;
  std::shared_ptr<admission::place> place_;
  receive_buffer input_;
  std::shared_ptr<suspension> suspension_;
  std::shared_ptr<handshake_turns::waiter> turn_;
  std::unique_ptr<tls::engine> engine_;
  bool is_aborted_ = false;

  std::optional<tls::record_layer> records_;
  std::vector<bytes_view> pieces_;
  /// Bytes of input_ that pieces_ lie in.
  std::size_t opened_ = 0;
  send_buffer output_;
  // One coroutine at a time sends; the other direction may have something to send as well.
  bool is_sending_ = false;
  wake_up sent_;
};

}  // namespace atls::proxy
