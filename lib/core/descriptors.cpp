#include "core/descriptors.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace atls {

descriptor::~descriptor() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

spare_descriptors::spare_descriptors(std::size_t count) : held_(count) {
  take();
}

spare_descriptors::lent spare_descriptors::lend() {
  for (auto& one : held_) {
    const auto closed = std::move(one);
  }
  return lent(this);
}

void spare_descriptors::take() noexcept {
  for (auto& one : held_) {
    if (!one) {
      one = descriptor(::eventfd(0, EFD_CLOEXEC));
    }
  }
}

}  // namespace atls
