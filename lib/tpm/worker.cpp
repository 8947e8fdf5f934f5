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
  out.queued = queue_.size();
  return out;
}

bool worker::submit(task t) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= options_.max_queued) {
      return false;
    }
    queue_.push_back(std::move(t));
    ++counters_.requests;
  }
  wake_.notify_one();
  return true;
}

void worker::loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) {
      return;
    }
    task next = std::move(queue_.front());
    queue_.pop_front();
    const bool stopping = stopping_;
    const auto started = std::chrono::steady_clock::now();
    counters_.waited += started - next.queued_at;
    lock.unlock();
    if (stopping) {
      next.refuse(errc::cancelled);
    } else {
      perform(next);
      lock.lock();
      counters_.worked += std::chrono::steady_clock::now() - started;
    }
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
