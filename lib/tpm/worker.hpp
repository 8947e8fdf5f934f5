// The one thread that talks to the TPM, and the bounded queue before it.
#pragma once

#include "core/wait.hpp"
#include "tpm/device.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace atls::tpm {

struct worker_options {
  std::string tcti;
  std::size_t max_queued = 1024;
  /// Called on the worker's thread each time the device is opened: load keys here.
  std::function<result<void>(device&)> on_open;
};

/// Opens the device at the first request and again after it was lost.
class worker {
 public:
  explicit worker(worker_options options);
  /// Answers what is queued with errc::cancelled and ends the thread.
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// Runs `operation` on the worker's thread and waits for its answer: suspended inside an
  /// ASYNC_JOB, blocked outside one. tpm_overloaded if the queue is full, tpm_timeout if the
  /// deadline passes first. `operation` owns all it needs: it may outlive the caller's wait.
  template <class T>
  result<T> run(std::function<result<T>(device&)> operation, steady_time deadline) {
    auto answer = std::make_shared<pending<T>>();
    const bool queued =
        submit({deadline,
                [answer, run = std::move(operation)](device& d) -> std::optional<failure> {
                  result<T> outcome = run(d);
                  std::optional<failure> problem;
                  if (!outcome) {
                    problem = outcome.error();
                  }
                  answer->complete(std::move(outcome));
                  return problem;
                },
                [answer](failure why) { answer->complete(std::move(why)); }});
    if (!queued) {
      return failure(errc::tpm_overloaded,
                     std::to_string(options_.max_queued) + " requests are queued");
    }
    return answer->wait(deadline, errc::tpm_timeout);
  }

  struct counters {
    std::uint64_t requests = 0;
    std::uint64_t commands = 0;
    std::size_t queued = 0;
    /// All requests together: in the queue, and in the TPM.
    std::chrono::nanoseconds waited{0};
    std::chrono::nanoseconds worked{0};
  };
  counters count() const;

 private:
  struct task {
    steady_time deadline;
    /// The problem, if the operation failed.
    std::function<std::optional<failure>(device&)> run;
    std::function<void(failure)> refuse;
    steady_time queued_at = std::chrono::steady_clock::now();
  };

  bool submit(task t);
  void loop();
  void perform(task& t);

  worker_options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<task> queue_;
  bool stopping_ = false;
  counters counters_;
  std::unique_ptr<device> device_;  // the worker thread's
  std::thread thread_;              // last: it uses all of the above
};

}  // namespace atls::tpm
