#include "core/buffers.hpp"

#include <algorithm>
#include <cstring>
#include <malloc.h>
#include <utility>

#include <openssl/crypto.h>

namespace atls {
namespace {

// Lent at the same time by one thread: 68 MiB.
constexpr std::size_t max_bulk_lent = 256;
// Kept for later by one thread; more than this goes back to the allocator.
constexpr std::size_t max_kept[] = {256, 32, 8};

struct pooled {
  std::unique_ptr<std::uint8_t[]> memory;
  /// What its last owner has left there.
  std::size_t used;
  buffer::owner owner;
};

thread_local std::vector<pooled> kept[3];
thread_local buffer::owner last_owner = 0;
thread_local std::size_t bulk_lent = 0;

constexpr unsigned frees_per_trim = 1000;
thread_local unsigned frees_until_trim = frees_per_trim;

constexpr std::size_t bytes_of(buffer::size size) {
  switch (size) {
    case buffer::size::waiting:
      return buffer::waiting_size_bytes;
    case buffer::size::record:
      return buffer::record_size_bytes;
    default:
      return buffer::bulk_size_bytes;
  }
}

}  // namespace

buffer::owner buffer::new_owner() noexcept {
  return ++last_owner;
}

buffer buffer::take(size wanted, owner by) {
  buffer out;
  out.owner_ = by;
  out.size_ = wanted == size::bulk && bulk_lent >= max_bulk_lent ? size::record : wanted;
  auto& pool = kept[static_cast<std::size_t>(out.size_)];
  if (pool.empty()) {
    out.memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(bytes_of(out.size_));
  } else {
    pooled& last = pool.back();
    if (last.owner == by) {
      out.used_ = last.used;
    } else {
      OPENSSL_cleanse(last.memory.get(), last.used);
    }
    out.memory_ = std::move(last.memory);
    pool.pop_back();
  }
  bulk_lent += out.size_ == size::bulk ? 1 : 0;
  return out;
}

buffer& buffer::operator=(buffer&& other) noexcept {
  if (this != &other) {
    give_back();
    memory_ = std::move(other.memory_);
    used_ = other.used_;
    owner_ = other.owner_;
    size_ = other.size_;
  }
  return *this;
}

std::size_t buffer::capacity() const noexcept {
  return memory_ ? bytes_of(size_) : 0;
}

void buffer::give_back() noexcept {
  if (!memory_) {
    return;
  }
  bulk_lent -= size_ == size::bulk ? 1 : 0;
  const auto index = static_cast<std::size_t>(size_);
  if (kept[index].size() < max_kept[index]) {
    kept[index].push_back({std::move(memory_), used_, owner_});
  } else {
    OPENSSL_cleanse(memory_.get(), used_);
    memory_.reset();
  }
}

void receive_buffer::consume(std::size_t count) noexcept {
  begin_ += count;
  if (empty()) {
    begin_ = end_ = 0;
    if (memory_.capacity() > buffer::waiting_size_bytes) {
      memory_.give_back();
    }
  }
}

std::span<std::uint8_t> receive_buffer::room_to_wait() {
  return room_of(empty() ? buffer::size::waiting : buffer::size::record);
}

std::span<std::uint8_t> receive_buffer::room_to_drain() {
  return room_of(buffer::size::bulk);
}

std::span<std::uint8_t> receive_buffer::room_of(buffer::size wanted) {
  const auto count = end_ - begin_;
  const bool is_too_large = wanted != buffer::size::bulk &&
                            memory_.capacity() > buffer::record_size_bytes &&
                            count < buffer::record_size_bytes;
  buffer target = memory_.capacity() < bytes_of(wanted) || is_too_large
                      ? buffer::take(wanted, owner_)
                      : buffer();
  if (target.capacity() > count) {
    std::copy_n(memory_.data() + begin_, count, target.data());
    target.note_used(count);
    memory_ = std::move(target);
  } else if (begin_ != 0) {
    std::memmove(memory_.data(), memory_.data() + begin_, count);
  }
  begin_ = 0;
  end_ = count;
  return {memory_.data() + end_, memory_.capacity() - end_};
}

void send_buffer::sent(std::size_t count) noexcept {
  begin_ += count;
  if (empty()) {
    begin_ = end_ = 0;
    memory_.give_back();
  }
}

std::span<std::uint8_t> send_buffer::room() {
  if (memory_.capacity() == 0) {
    memory_ = buffer::take(buffer::size::bulk, owner_);
  }
  return {memory_.data() + end_, memory_.capacity() - end_};
}

void trim_memory_at_times() noexcept {
  if (--frees_until_trim == 0) {
    frees_until_trim = frees_per_trim;
    ::malloc_trim(0);
  }
}

}  // namespace atls
