// File descriptors: owned ones, and some held back for when the process runs out of them.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace atls {

/// Closes it.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor();

  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Descriptors that are open for nothing, so that what must work when all others are taken can have
/// them. Used by one thread.
class spare_descriptors {
  struct take_back {
    void operator()(spare_descriptors* owner) const noexcept { owner->take(); }
  };

 public:
  explicit spare_descriptors(std::size_t count);

  /// While it lives they are free; afterwards as many are held again as can be had.
  using lent = std::unique_ptr<spare_descriptors, take_back>;
  [[nodiscard]] lent lend();

 private:
  void take() noexcept;

  std::vector<descriptor> held_;
};

}  // namespace atls
