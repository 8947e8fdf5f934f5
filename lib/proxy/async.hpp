// Asio's types as the data path uses them: bound to io_context's own executor, because the
// type-erased default costs an allocation and several virtual calls per operation.
#pragma once

#include "core/wait.hpp"

#include <functional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atls::proxy {

using executor = boost::asio::io_context::executor_type;

template <class T = void>
using awaitable = boost::asio::awaitable<T, executor>;

/// TCP or unix.
using stream_protocol = boost::asio::generic::stream_protocol;
using stream_socket = boost::asio::basic_stream_socket<stream_protocol, executor>;

using timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, executor>;

/// Completion token: the coroutine goes on, an error is in `ec`.
inline auto resume_with(boost::system::error_code& ec) {
  return boost::asio::redirect_error(boost::asio::use_awaitable_t<executor>(), ec);
}

/// Something to wait for on one thread and raise from any.
class wake_up : public std::enable_shared_from_this<wake_up> {
 public:
  explicit wake_up(const executor& where) : timer_(where) {}

  /// From any thread; the object must be a shared one.
  void raise();
  /// From the executor's thread.
  void raise_here();
  /// Returns once raised since the last call, or at that time: whether it was raised.
  awaitable<bool> wait(steady_time until = steady_time::max());

 private:
  timer timer_;
  bool raised_ = false;
  bool is_awaited_ = false;
};

/// Ends an operation that takes too long. What is to be done then may refer to whatever outlives
/// this object, such as the frame that it stands in: once it is destroyed nothing is called, also
/// if the time had come and the handler was queued already. Used on the executor's thread only.
class time_limit {
 public:
  time_limit(const executor& where, steady_time at, std::function<void()> on_expiry);
  ~time_limit();
  time_limit(const time_limit&) = delete;
  time_limit& operator=(const time_limit&) = delete;

  bool has_expired() const noexcept { return state_->has_expired; }

 private:
  struct state {
    timer until;
    std::function<void()> on_expiry;
    bool has_expired = false;
  };
  std::shared_ptr<state> state_;
};

}  // namespace atls::proxy
