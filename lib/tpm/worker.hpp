// The one thread that talks to the TPM.
#pragma once

#include "core/service_thread.hpp"
#include "tpm/device.hpp"

#include <atomic>

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
  using stage = service_thread::stage;

  explicit worker(worker_options options);

  /// service_thread::run(): tpm_overloaded, tpm_timeout.
  template <class T>
  result<T> run(std::function<result<T>(device&)> operation, steady_time deadline,
                stage at = stage::begins) {
    return thread_.run<T>(
        [this, operation = std::move(operation)] { return with_device(operation); }, deadline, at);
  }

  struct counters : service_thread::counters {
    std::uint64_t commands = 0;
  };
  counters count() const { return {thread_.count(), commands_}; }

 private:
  template <class T>
  result<T> with_device(const std::function<result<T>(device&)>& operation) {
    ATLS_CHECK(open());
    const auto before = device_->commands();
    auto out = operation(*device_);
    commands_ += device_->commands() - before;
    // Anything but a plain refusal may mean that the TPM went away or was reset and our keys with
    // it: the next request opens it anew.
    if (!out &&
        (out.error().code == errc::tpm_unavailable || out.error().code == errc::tpm_failed)) {
      device_.reset();
    }
    return out;
  }

  result<void> open();

  const worker_options options_;
  std::unique_ptr<device> device_;  // the thread's
  std::atomic<std::uint64_t> commands_ = 0;
  service_thread thread_;  // last: it uses all of the above
};

}  // namespace atls::tpm
