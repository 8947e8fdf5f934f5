#include "core/service_thread.hpp"

#include <csignal>

namespace atls {

service_thread::service_thread(const options& given)
    : options_(given), thread_([this] { loop(); }) {}

service_thread::~service_thread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

service_thread::counters service_thread::count() const {
  const std::lock_guard lock(mutex_);
  counters out = counters_;
  out.queued = beginning_.size() + going_on_.size();
  return out;
}

result<void> service_thread::submit(task t, stage at) {
  const auto& source = requester::current();
  {
    const std::lock_guard lock(mutex_);
    ATLS_CHECK(check_room(t, at, source));
    (at == stage::begins ? beginning_ : going_on_).push(source, std::move(t));
    ++counters_.requests;
  }
  wake_.notify_one();
  return {};
}

result<void> service_thread::check_room(const task& t, stage at, const std::string& source) {
  if (stopping_) {
    return failure(errc::cancelled);
  }
  const auto drop_abandoned = [this](fair_queue<task>& from) {
    from.remove_if([this](const task& one) {
      const bool is_abandoned = one.is_abandoned();
      counters_.abandoned += is_abandoned ? 1 : 0;
      return is_abandoned;
    });
  };
  drop_abandoned(beginning_);
  drop_abandoned(going_on_);
  if (beginning_.size() + going_on_.size() >= options_.max_queued) {
    return failure(options_.overloaded,
                   std::to_string(options_.max_queued) + " requests are queued");
  }
  const auto ahead = at == stage::begins ? going_on_.size() + beginning_.ahead_of(source)
                                         : going_on_.ahead_of(source);
  const auto expected = typical_work_ * static_cast<long>(ahead + 1);
  if (std::chrono::steady_clock::now() + expected > t.deadline && ahead != 0) {
    using std::chrono::milliseconds;
    return failure(options_.overloaded,
                   std::to_string(ahead) + " requests are ahead, which take about " +
                       std::to_string(std::chrono::duration_cast<milliseconds>(expected).count()) +
                       " ms");
  }
  return {};
}

void service_thread::loop() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !beginning_.empty() || !going_on_.empty(); });
    if (beginning_.empty() && going_on_.empty()) {
      return;
    }
    task next = (going_on_.empty() ? beginning_ : going_on_).pop();
    const bool stopping = stopping_;
    const auto started = std::chrono::steady_clock::now();
    counters_.waited += started - next.queued_at;
    if (!stopping && next.is_abandoned()) {
      ++counters_.abandoned;
      continue;
    }
    lock.unlock();
    if (stopping) {
      next.refuse(errc::cancelled);
      continue;
    }
    perform(next);
    lock.lock();
    const auto worked = std::chrono::steady_clock::now() - started;
    counters_.worked += worked;
    // The mean of the last eight or so; the first is all that is known.
    typical_work_ =
        typical_work_.count() == 0 ? worked : typical_work_ + (worked - typical_work_) / 8;
  }
}

void service_thread::perform(task& t) const {
  if (std::chrono::steady_clock::now() > t.deadline) {
    t.refuse(failure(options_.late, "the request waited in the queue past its deadline"));
    return;
  }
  try {
    t.run();
  } catch (const error& e) {
    t.refuse(e.why());
  } catch (const std::exception& e) {
    t.refuse(failure(errc::internal, e.what()));
  }
}

}  // namespace atls
