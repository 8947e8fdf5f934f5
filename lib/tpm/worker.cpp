#include "tpm/worker.hpp"

namespace atls::tpm {

worker::worker(worker_options options)
    : options_(std::move(options)),
      thread_({options_.max_queued, errc::tpm_overloaded, errc::tpm_timeout}) {}

result<void> worker::open() {
  if (device_) {
    return {};
  }
  ATLS_TRY(auto opened, device::open(options_.tcti));
  if (options_.on_open) {
    ATLS_CHECK(options_.on_open(*opened));
  }
  device_ = std::move(opened);
  return {};
}

}  // namespace atls::tpm
