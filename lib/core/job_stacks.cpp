#include "core/job_stacks.hpp"

#include <mutex>
#include <sys/mman.h>

#ifdef ATLS_SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace atls::job_stacks {
namespace {

// No machine has larger pages, and no frame of ours skips it.
constexpr std::size_t guard_bytes = 64 * 1024;
constexpr std::size_t spare_bytes = 96 * 1024;
constexpr std::size_t usable_bytes = spare_bytes + bytes;
constexpr std::size_t stride = guard_bytes + usable_bytes;

// In the last bytes of a stack that nobody has: they were in use, and cost no page more.
struct free_stack {
  free_stack* next;
};

std::mutex mutex;
char* begin = nullptr;
char* end = nullptr;
// From here on, none was ever taken.
char* untouched = nullptr;
free_stack* free_stacks = nullptr;

free_stack* link_of(void* block) noexcept {
  return reinterpret_cast<free_stack*>(static_cast<char*>(block) + bytes - sizeof(free_stack));
}

void* block_of(free_stack* link) noexcept {
  return reinterpret_cast<char*>(link + 1) - bytes;
}

}  // namespace

void reserve(std::size_t most) noexcept {
  void* const made =
      ::mmap(nullptr, most * stride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made != MAP_FAILED) {
    begin = untouched = static_cast<char*>(made);
    end = begin + most * stride;
  }
}

void* take() noexcept {
  const std::scoped_lock lock(mutex);
  if (free_stacks != nullptr) {
    void* const out = block_of(free_stacks);
    free_stacks = free_stacks->next;
    // A job that was given up has left its frames' shadow.
    ASAN_UNPOISON_MEMORY_REGION(static_cast<char*>(out) - spare_bytes, usable_bytes);
    return out;
  }
  if (untouched == end ||
      ::mprotect(untouched + guard_bytes, usable_bytes, PROT_READ | PROT_WRITE) != 0) {
    return nullptr;
  }
  untouched += stride;
  return untouched - bytes;
}

bool holds(const void* block) noexcept {
  return block >= begin && block < end;
}

void give_back(void* block) noexcept {
  const std::scoped_lock lock(mutex);
  free_stack* const link = link_of(block);
  ASAN_UNPOISON_MEMORY_REGION(link, sizeof *link);
  link->next = free_stacks;
  free_stacks = link;
}

}  // namespace atls::job_stacks
