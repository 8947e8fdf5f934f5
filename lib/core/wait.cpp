#include "core/wait.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/async.h>

namespace atls {

void wait_flag::raise() {
  // The wake-up is sent under the lock, so that none is sent after wait() has returned.
  const std::lock_guard lock(mutex_);
  raised_ = true;
  raised_signal_.notify_all();
  if (callback_ != nullptr) {
    callback_(callback_argument_);
  } else if (event_fd_ >= 0) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_fd_, &one, sizeof one);
  }
}

errc wait_flag::wait(steady_time deadline) {
  if (ASYNC_JOB* job = ASYNC_get_current_job(); job != nullptr) {
    return wait_in_job(job);
  }
  std::unique_lock lock(mutex_);
  return raised_signal_.wait_until(lock, deadline, [this] { return raised_; }) ? errc::ok
                                                                               : errc::internal;
}

errc wait_flag::wait_in_job(ASYNC_JOB* job) {
  ASYNC_WAIT_CTX* context = ASYNC_get_wait_ctx(job);
  {
    const std::lock_guard lock(mutex_);
    if (ASYNC_WAIT_CTX_get_callback(context, &callback_, &callback_argument_) != 1) {
      callback_ = nullptr;
    }
    if (callback_ == nullptr) {
      event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      if (event_fd_ < 0 ||
          ASYNC_WAIT_CTX_set_wait_fd(context, this, event_fd_, nullptr, nullptr) != 1) {
        return errc::internal;
      }
    }
  }

  errc outcome = errc::ok;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (raised_) {
        break;
      }
    }
    if (ASYNC_pause_job() != 1) {
      outcome = errc::internal;
      break;
    }
    if (ASYNC_WAIT_CTX_get_status(context) == ASYNC_STATUS_ERR) {
      outcome = errc::cancelled;
      break;
    }
  }

  const std::lock_guard lock(mutex_);
  callback_ = nullptr;
  if (event_fd_ >= 0) {
    ASYNC_WAIT_CTX_clear_fd(context, this);
    ::close(event_fd_);
    event_fd_ = -1;
  }
  return outcome;
}

}  // namespace atls
