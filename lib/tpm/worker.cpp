#include "tpm/worker.hpp"

namespace atls::tpm {

worker::worker(worker_options options)
    : options_(std::move(options)), thread_([this] { loop(); }) {}

worker::~worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

worker::counters worker::count() const {
  const std::lock_guard lock(mutex_);
  counters out = counters_;
  out.queued = beginning_.size() + going_on_.size();
  return out;
}

result<void> worker::submit(task t, stage at) {
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

result<void> worker::check_room(const task& t, stage at, const std::string& source) {
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
    return failure(errc::tpm_overloaded,
                   std::to_string(options_.max_queued) + " requests are queued");
  }
  const auto ahead = at == stage::begins ? going_on_.size() + beginning_.ahead_of(source)
                                         : going_on_.ahead_of(source);
  const auto expected = typical_work_ * static_cast<long>(ahead + 1);
  if (std::chrono::steady_clock::now() + expected > t.deadline && ahead != 0) {
    using std::chrono::milliseconds;
    return failure(errc::tpm_overloaded,
                   std::to_string(ahead) + " requests are ahead, which take about " +
                       std::to_string(std::chrono::duration_cast<milliseconds>(expected).count()) +
                       " ms");
  }
  return {};
}

void worker::loop() {
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
    // The mean of the last eight or so.
    typical_work_ += (worked - typical_work_) / 8;
  }
}

void worker::perform(task& t) {
  if (std::chrono::steady_clock::now() > t.deadline) {
    t.refuse(failure(errc::tpm_timeout, "the request waited in the queue past its deadline"));
    return;
  }
  try {
    if (!device_) {
      auto opened = device::open(options_.tcti);
      if (opened && options_.on_open) {
        if (auto ready = options_.on_open(**opened); !ready) {
          opened = ready.error();
        }
      }
      if (!opened) {
        t.refuse(opened.error());
        return;
      }
      device_ = std::move(*opened);
    }
    const auto before = device_->commands();
    const auto problem = t.run(*device_);
    {
      const std::lock_guard lock(mutex_);
      counters_.commands += device_->commands() - before;
    }
    // Anything but a plain refusal may mean that the TPM went away or was reset and our keys with
    // it: the next request opens it anew.
    if (problem && (problem->code == errc::tpm_unavailable || problem->code == errc::tpm_failed)) {
      device_.reset();
    }
  } catch (const error& e) {
    t.refuse(e.why());
  } catch (const std::exception& e) {
    t.refuse(failure(errc::internal, e.what()));
  }
}

}  // namespace atls::tpm
