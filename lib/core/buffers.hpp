// Memory for bytes in motion: small while a connection is quiet, large while it is busy, given back
// to the thread's pool in between. A buffer returns to the thread that took it.
#pragma once

#include "core/bytes.hpp"

#include <memory>

namespace atls {

/// Where a read puts its bytes. A quiet connection waits on a small one; one that fills it gets a
/// large one for as long as it makes use of it.
class read_buffer {
 public:
  static constexpr std::size_t small_size_bytes = 4 * 1024;
  static constexpr std::size_t large_size_bytes = 256 * 1024;

  read_buffer() = default;
  ~read_buffer();
  read_buffer(const read_buffer&) = delete;
  read_buffer& operator=(const read_buffer&) = delete;

  std::span<std::uint8_t> space();
  /// After a read of `size` bytes and when they are needed no more: fits the buffer to it.
  void fit(std::size_t size);

 private:
  void drop();

  std::unique_ptr<std::uint8_t[]> memory_;
  bool is_large_ = false;
};

/// An empty byte string with the capacity of an earlier one, and the way back for it.
bytes take_pooled_bytes();
void return_pooled_bytes(bytes&& used) noexcept;

}  // namespace atls
