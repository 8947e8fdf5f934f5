// A socket and a TLS engine: the coroutines that move records between them.
#pragma once

#include "core/wait.hpp"
#include "tls/engine.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace atls::proxy {

/// Something to wait for on one thread and raise from any.
class wake_up : public std::enable_shared_from_this<wake_up> {
 public:
  explicit wake_up(boost::asio::any_io_executor executor)
      : timer_(std::move(executor), boost::asio::steady_timer::time_point::max()) {}

  /// From any thread.
  void raise();
  /// From the executor's thread.
  void raise_here();
  /// Returns once raised since the last call.
  boost::asio::awaitable<void> wait();

 private:
  boost::asio::steady_timer timer_;
  bool raised_ = false;
};

class tls_stream {
 public:
  using tcp = boost::asio::ip::tcp;

  tls_stream(tcp::socket socket, const tls::context& context);

  /// The whole handshake, or why there is none. After a failure the alert has been sent.
  boost::asio::awaitable<result<void>> handshake(steady_time deadline);
  tls::handshake& attestation() noexcept { return engine_.attestation(); }

  /// At least one byte; 0 after the peer's close_notify. `truncated` if the connection ended
  /// without one.
  boost::asio::awaitable<result<std::size_t>> read(std::span<std::uint8_t> to);
  /// Returns when all of it is with the kernel.
  boost::asio::awaitable<result<void>> write(bytes_view from);
  /// Sends close_notify; reading goes on.
  boost::asio::awaitable<result<void>> finish();

  /// Ends every pending operation.
  void abort();

 private:
  boost::asio::awaitable<result<void>> drive_handshake();
  boost::asio::awaitable<boost::system::error_code> flush();

  tcp::socket socket_;
  std::shared_ptr<wake_up> resumable_;
  tls::engine engine_;
  bool timed_out_ = false;
  // One coroutine at a time sends; the other direction may have records to send as well.
  bool is_sending_ = false;
  wake_up sent_;
};

}  // namespace atls::proxy
