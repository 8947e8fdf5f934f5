#include "core/buffers.hpp"

#include <utility>

namespace atls {
namespace {

// What is kept for later; more than this goes back to the allocator.
constexpr std::size_t max_pooled = 16;

thread_local std::vector<std::unique_ptr<std::uint8_t[]>> large_buffers;
thread_local std::vector<bytes> byte_strings;

}  // namespace

read_buffer::~read_buffer() {
  drop();
}

std::span<std::uint8_t> read_buffer::space() {
  const auto size = is_large_ ? large_size_bytes : small_size_bytes;
  if (!memory_) {
    if (is_large_ && !large_buffers.empty()) {
      memory_ = std::move(large_buffers.back());
      large_buffers.pop_back();
    } else {
      memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(size);
    }
  }
  return {memory_.get(), size};
}

void read_buffer::fit(std::size_t size) {
  const bool wants_large = size >= small_size_bytes;
  if (wants_large != is_large_) {
    drop();
    is_large_ = wants_large;
  }
}

void read_buffer::drop() {
  if (is_large_ && memory_ && large_buffers.size() < max_pooled) {
    large_buffers.push_back(std::move(memory_));
  }
  memory_.reset();
}

bytes take_pooled_bytes() {
  if (byte_strings.empty()) {
    return {};
  }
  bytes out = std::move(byte_strings.back());
  byte_strings.pop_back();
  return out;
}

void return_pooled_bytes(bytes&& used) noexcept {
  if (used.capacity() != 0 && byte_strings.size() < max_pooled) {
    used.clear();
    byte_strings.push_back(std::move(used));
  }
  used = bytes();
}

}  // namespace atls
