// A thread for a device that serves one request at a time and blocks meanwhile, and the bounded
// queue before it.
#pragma once

#include "core/fair_queue.hpp"
#include "core/requester.hpp"
#include "core/wait.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace atls {

/// The queue is fair between requesters (core/requester.hpp) and bounded by time: a request that
/// would not be reached before its deadline, as fast as the device is, is refused at once. No
/// signal is delivered to the thread: a device may leave a request behind that one interrupts.
class service_thread {
 public:
  struct options {
    std::size_t max_queued = 1024;
    /// Why a request is refused for which the queue is full or too slow, and why one is given up
    /// at its deadline.
    errc overloaded = errc::internal;
    errc late = errc::internal;
  };

  enum class stage {
    /// The first thing that a handshake wants of the device.
    begins,
    /// What a handshake wants that has been served already: comes first, or what was done for it
    /// would be lost.
    goes_on
  };

  explicit service_thread(const options& given);
  /// Answers what is queued with errc::cancelled and ends the thread.
  ~service_thread();
  service_thread(const service_thread&) = delete;
  service_thread& operator=(const service_thread&) = delete;

  /// Runs `operation` on the thread and waits for its answer: suspended inside an ASYNC_JOB,
  /// blocked outside one. `operation` owns all it needs: it may outlive the caller's wait, but is
  /// not begun once the caller waits no more.
  template <class T>
  result<T> run(std::function<result<T>()> operation, steady_time deadline,
                stage at = stage::begins) {
    auto answer = std::make_shared<pending<T>>();
    ATLS_CHECK(submit({deadline, [answer, run = std::move(operation)] { answer->complete(run()); },
                       [answer](failure why) { answer->complete(std::move(why)); },
                       [answer] { return answer->is_abandoned(); }},
                      at));
    return answer->wait(deadline, options_.late);
  }

  struct counters {
    /// Taken into the queue.
    std::uint64_t requests = 0;
    /// Of these, how many were not begun because nobody waited for them any more.
    std::uint64_t abandoned = 0;
    std::size_t queued = 0;
    /// All requests together: in the queue, and in the device.
    std::chrono::nanoseconds waited{0};
    std::chrono::nanoseconds worked{0};
  };
  counters count() const;

 private:
  struct task {
    steady_time deadline;
    std::function<void()> run;
    std::function<void(failure)> refuse;
    std::function<bool()> is_abandoned;
    steady_time queued_at = std::chrono::steady_clock::now();
  };

  /// options::overloaded, or cancelled at the end.
  result<void> submit(task t, stage at);
  result<void> check_room(const task& t, stage at, const std::string& source);
  void loop();
  void perform(task& t) const;

  const options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  fair_queue<task> beginning_;
  fair_queue<task> going_on_;
  /// What a request has taken lately.
  std::chrono::nanoseconds typical_work_{0};
  bool stopping_ = false;
  counters counters_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace atls
