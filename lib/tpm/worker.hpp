// The one thread that talks to the TPM, and the bounded queue before it.
#pragma once

#include "core/fair_queue.hpp"
#include "core/requester.hpp"
#include "core/wait.hpp"
#include "tpm/device.hpp"

#include <condition_variable>
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
///
/// The queue is fair between requesters (core/requester.hpp) and bounded by time: a request that
/// would not be reached before its deadline, as fast as the TPM is, is refused at once.
class worker {
 public:
  enum class stage {
    /// The first thing that a handshake wants of the TPM.
    begins,
    /// What a handshake wants that has been served already: comes first, or what was done for it
    /// would be lost.
    goes_on
  };

  explicit worker(worker_options options);
  /// Answers what is queued with errc::cancelled and ends the thread.
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// Runs `operation` on the worker's thread and waits for its answer: suspended inside an
  /// ASYNC_JOB, blocked outside one. tpm_overloaded if the queue is full or too slow, tpm_timeout
  /// if the deadline passes first. `operation` owns all it needs: it may outlive the caller's wait,
  /// but is not begun once the caller waits no more.
  template <class T>
  result<T> run(std::function<result<T>(device&)> operation, steady_time deadline,
                stage at = stage::begins) {
    auto answer = std::make_shared<pending<T>>();
    ATLS_CHECK(submit({deadline,
                       [answer, run = std::move(operation)](device& d) -> std::optional<failure> {
                         result<T> outcome = run(d);
                         std::optional<failure> problem;
                         if (!outcome) {
                           problem = outcome.error();
                         }
                         answer->complete(std::move(outcome));
                         return problem;
                       },
                       [answer](failure why) { answer->complete(std::move(why)); },
                       [answer] { return answer->is_abandoned(); }},
                      at));
    return answer->wait(deadline, errc::tpm_timeout);
  }

  struct counters {
    /// Taken into the queue.
    std::uint64_t requests = 0;
    /// Of these, how many were not begun because nobody waited for them any more.
    std::uint64_t abandoned = 0;
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
    std::function<bool()> is_abandoned;
    steady_time queued_at = std::chrono::steady_clock::now();
  };

  /// tpm_overloaded, or cancelled at the end.
  result<void> submit(task t, stage at);
  result<void> check_room(const task& t, stage at, const std::string& source);
  void loop();
  void perform(task& t);

  worker_options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  fair_queue<task> beginning_;
  fair_queue<task> going_on_;
  /// What a request has taken lately.
  std::chrono::nanoseconds typical_work_{0};
  bool stopping_ = false;
  counters counters_;
  std::unique_ptr<device> device_;  // the worker thread's
  std::thread thread_;              // last: it uses all of the above
};

}  // namespace atls::tpm
