#include "support/job_stacks.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>

#include <openssl/crypto.h>

namespace atls::test {
namespace {

constexpr unsigned char untouched = 0xa5;

std::mutex mutex;
std::set<void*> blocks;
std::size_t deepest = 0;

bool is_untouched(unsigned char byte) {
  return byte == untouched;
}

// A stack is used from its end.
std::size_t depth_of(const void* block) {
  const auto* const begin = static_cast<const unsigned char*>(block);
  const auto* const end = begin + job_stack_bytes;
  constexpr std::size_t top = 256;
  if (std::all_of(end - top, end, is_untouched)) {
    return 0;
  }
  return static_cast<std::size_t>(end - std::find_if_not(begin, end, is_untouched));
}

void* allocate(std::size_t size, const char*, int) {
  void* const out = std::malloc(size);
  if (out != nullptr && size == job_stack_bytes) {
    std::memset(out, untouched, size);
    const std::lock_guard lock(mutex);
    blocks.insert(out);
  }
  return out;
}

void release(void* block, const char*, int) {
  {
    const std::lock_guard lock(mutex);
    if (blocks.erase(block) != 0) {
      deepest = std::max(deepest, depth_of(block));
    }
  }
  std::free(block);
}

void* reallocate(void* block, std::size_t size, const char*, int) {
  {
    const std::lock_guard lock(mutex);
    blocks.erase(block);
  }
  return std::realloc(block, size);
}

}  // namespace

void watch_job_stacks() {
  if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1) {
    throw std::logic_error("libcrypto has allocated memory already");
  }
}

std::size_t take_deepest_job_stack() {
  const std::lock_guard lock(mutex);
  return std::exchange(deepest, 0);
}

}  // namespace atls::test
