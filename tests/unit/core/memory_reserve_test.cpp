#include "core/memory_reserve.hpp"

#include <future>
#include <new>

#include <catch2/catch.hpp>

using namespace atls;

TEST_CASE("the reserve is given up once, and taken again when there is memory", "[core]") {
  CHECK(memory_reserve::is_there());
  const auto before = std::get_new_handler();
  memory_reserve::hold(1 << 20);
  const auto out_of_memory = std::get_new_handler();
  std::set_new_handler(before);
  CHECK_NOTHROW(out_of_memory());
  // Nobody has looked whether it can be taken again.
  CHECK_THROWS_AS(out_of_memory(), std::bad_alloc);
  CHECK(memory_reserve::is_there());
  CHECK_NOTHROW(out_of_memory());
  // Another thread was out of memory at the same time: there is some now.
  const auto again = [&] {
    return std::async(std::launch::async, [&] {
      try {
        out_of_memory();
        return true;
      } catch (const std::bad_alloc&) {
        return false;
      }
    });
  };
  CHECK(again().get());
}
