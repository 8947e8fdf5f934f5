#include "core/memory_reserve.hpp"

#include "core/job_stacks.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <utility>

#include <openssl/crypto.h>

namespace atls::memory_reserve {
namespace {

std::size_t size = 0;

std::mutex mutex;
void* block = nullptr;
unsigned releases = 0;
// Each thread may try again once after each release, whichever thread's it was.
thread_local unsigned releases_used = 0;

bool take() noexcept {
  // Of the kernel and not of malloc(3), whose heaps belong to threads: what is freed in one does
  // not help another.
  void* const made =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (made == MAP_FAILED) {
    return false;
  }
  block = made;
  return true;
}

// Whether it is worth another try.
bool release() noexcept {
  const std::scoped_lock lock(mutex);
  if (block != nullptr) {
    ::munmap(block, size);
    block = nullptr;
    ++releases;
  }
  return std::exchange(releases_used, releases) != releases;
}

void give_up() {
  if (!release()) {
    throw std::bad_alloc();
  }
}

void* take_from_heap(void* old, std::size_t bytes) {
  void* out = nullptr;
  do {
    out = std::realloc(old, bytes);
  } while (out == nullptr && bytes != 0 && release());
  return out;
}

void* allocate(std::size_t bytes, const char*, int) {
  void* const stack = bytes == job_stacks::bytes ? job_stacks::take() : nullptr;
  return stack != nullptr ? stack : take_from_heap(nullptr, bytes);
}

void free_again(void* old, const char*, int) {
  if (job_stacks::holds(old)) {
    job_stacks::give_back(old);
  } else {
    std::free(old);
  }
}

void* reallocate(void* old, std::size_t bytes, const char*, int) {
  if (!job_stacks::holds(old)) {
    return take_from_heap(old, bytes);
  }
  // It was no stack then, but something of the same size.
  void* const out = take_from_heap(nullptr, bytes);
  if (out != nullptr) {
    std::memcpy(out, old, std::min(bytes, job_stacks::bytes));
  }
  if (out != nullptr || bytes == 0) {
    job_stacks::give_back(old);
  }
  return out;
}

}  // namespace

void hold(std::size_t bytes) {
  size = bytes;
  if (!take()) {
    throw std::bad_alloc();
  }
  std::set_new_handler(give_up);
}

void serve_libcrypto() noexcept {
  constexpr std::size_t most_job_stacks = 8192;
  job_stacks::reserve(most_job_stacks);
  ::CRYPTO_set_mem_functions(allocate, reallocate, free_again);
}

bool is_there() noexcept {
  const std::scoped_lock lock(mutex);
  return size == 0 || block != nullptr || take();
}

}  // namespace atls::memory_reserve
