#include "core/memory_reserve.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace atls::memory_reserve {
namespace {

std::size_t size = 0;
std::atomic<void*> block = nullptr;

// Returning means that it is worth another try.
void give_up() {
  void* const reserve = block.exchange(nullptr);
  if (reserve == nullptr) {
    throw std::bad_alloc();
  }
  std::free(reserve);
}

bool take() noexcept {
  void* const reserve = std::malloc(size);
  void* expected = nullptr;
  if (reserve != nullptr && !block.compare_exchange_strong(expected, reserve)) {
    std::free(reserve);  // another thread was first
  }
  return reserve != nullptr;
}

}  // namespace

void hold(std::size_t bytes) {
  size = bytes;
  if (!take()) {
    throw std::bad_alloc();
  }
  std::set_new_handler(give_up);
}

bool is_there() noexcept {
  return size == 0 || block.load() != nullptr || take();
}

}  // namespace atls::memory_reserve
