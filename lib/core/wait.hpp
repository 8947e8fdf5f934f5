// Waiting for another thread without blocking this one.
//
// An operation that another thread performs (the TPM's, the Verifier client's) is waited for inside
// OpenSSL callbacks, which cannot be coroutines. Inside an ASYNC_JOB the job is paused and whoever
// started it is told, by the ASYNC_WAIT_CTX callback if one is set and by a file descriptor
// otherwise, when to resume it. Outside a job the calling thread blocks.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

struct async_job_st;

namespace atls {

using steady_time = std::chrono::steady_clock::time_point;

/// The untyped half: a flag that one thread raises and another waits for, once.
class wait_flag {
 public:
  wait_flag() = default;
  wait_flag(const wait_flag&) = delete;
  wait_flag& operator=(const wait_flag&) = delete;

  /// From any thread.
  void raise();

  /// Returns errc::ok once raised, errc::cancelled if the job was resumed with its wait context's
  /// status set to ASYNC_STATUS_ERR, errc::internal if the deadline passed first (blocking only:
  /// a paused job is cancelled by its owner).
  errc wait(steady_time deadline);

 private:
  errc wait_in_job(async_job_st* job);

  std::mutex mutex_;
  std::condition_variable raised_signal_;
  bool raised_ = false;
  int (*callback_)(void*) = nullptr;
  void* callback_argument_ = nullptr;
  int event_fd_ = -1;
};

/// Shared by the thread that asks and the thread that answers.
template <class T>
class pending {
 public:
  /// From any thread; the first answer counts.
  void complete(result<T> answer) {
    {
      const std::lock_guard lock(mutex_);
      if (answer_) {
        return;
      }
      answer_.emplace(std::move(answer));
    }
    flag_.raise();
  }

  /// The answer; `late` if none came before the deadline, errc::cancelled if the job was cancelled.
  result<T> wait(steady_time deadline, errc late) {
    const errc outcome = flag_.wait(deadline);
    const std::lock_guard lock(mutex_);
    is_abandoned_ = true;
    if (outcome == errc::cancelled) {
      return failure(errc::cancelled);
    }
    return answer_ ? std::move(*answer_) : result<T>(failure(late));
  }

  /// Nobody waits any more: what has not been begun for the answer need not be. From any thread.
  bool is_abandoned() const {
    const std::lock_guard lock(mutex_);
    return is_abandoned_;
  }

 private:
  mutable std::mutex mutex_;
  bool is_abandoned_ = false;
  std::optional<result<T>> answer_;
  wait_flag flag_;
};

}  // namespace atls
