// Memory for bytes in motion. A connection that waits owns a little; while its bytes move it
// borrows a lot from its thread's pool. A buffer returns to the thread that took it.
#pragma once

#include "core/bytes.hpp"

#include <memory>

namespace atls {

/// Uninitialised memory on loan; empty until taken. Movable, not copyable.
class buffer {
 public:
  enum class size : std::uint8_t {
    /// For a read that may wait for hours.
    waiting,
    /// A TLS record at its longest (RFC 8446 section 5.2), with room to spare.
    record,
    /// Many records; of these a thread lends so many, and then records' sizes instead.
    bulk
  };
  static constexpr std::size_t waiting_size_bytes = 2 * 1024;
  static constexpr std::size_t record_size_bytes = 17 * 1024;
  static constexpr std::size_t bulk_size_bytes = 16 * record_size_bytes;

  /// Bytes of one owner are never seen by another: memory is wiped when it changes hands.
  using owner = std::uint64_t;
  static owner new_owner() noexcept;

  buffer() = default;
  static buffer take(size wanted, owner by);
  buffer(buffer&& other) noexcept { *this = std::move(other); }
  buffer& operator=(buffer&& other) noexcept;
  ~buffer() { give_back(); }

  std::uint8_t* data() const noexcept { return memory_.get(); }
  /// 0 if none was taken.
  std::size_t capacity() const noexcept;
  /// The first `count` bytes have been written to.
  void note_used(std::size_t count) noexcept { used_ = count > used_ ? count : used_; }
  void give_back() noexcept;

 private:
  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t used_ = 0;
  owner owner_ = 0;
  size size_ = size::waiting;
};

/// Bytes that came in and have not been used yet, contiguous.
class receive_buffer {
 public:
  bool empty() const noexcept { return begin_ == end_; }
  std::span<std::uint8_t> filled() noexcept { return {memory_.data() + begin_, end_ - begin_}; }
  /// The first `count` of them are used.
  void consume(std::size_t count) noexcept;

  /// Where a read puts more, that may have to wait for it: small, and what is there stays.
  std::span<std::uint8_t> room_to_wait();
  /// The same for a read that does not wait: large.
  std::span<std::uint8_t> room_to_drain();
  void add(std::size_t count) noexcept {
    end_ += count;
    memory_.note_used(end_);
  }

  /// A read that did not wait brought `count` bytes.
  void drained(std::size_t count) noexcept {
    busy_ = count >= buffer::bulk_size_bytes / 4 && busy_ < max_busy ? busy_ + 1 : 0;
  }
  /// So much came that more is likely there; not forever, for the thread has other connections.
  bool expects_more() const noexcept { return busy_ != 0; }

 private:
  static constexpr std::uint8_t max_busy = 4;

  std::span<std::uint8_t> room_of(buffer::size wanted);

  const buffer::owner owner_ = buffer::new_owner();
  buffer memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint8_t busy_ = 0;
};

/// Bytes on their way out, in order.
class send_buffer {
 public:
  bool empty() const noexcept { return begin_ == end_; }
  bytes_view waiting() const noexcept { return {memory_.data() + begin_, end_ - begin_}; }
  void sent(std::size_t count) noexcept;

  /// Behind what waits.
  std::span<std::uint8_t> room();
  void add(std::size_t count) noexcept {
    end_ += count;
    memory_.note_used(end_);
  }

 private:
  const buffer::owner owner_ = buffer::new_owner();
  buffer memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// To be called when something as large as a handshake was freed: glibc keeps what a crowd of
/// connections needed unless it is asked, which is done once in a while.
void trim_memory_at_times() noexcept;

}  // namespace atls
