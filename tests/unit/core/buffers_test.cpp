#include "core/buffers.hpp"

#include <catch2/catch.hpp>

using namespace atls;

TEST_CASE("a read buffer grows for who fills it and shrinks again", "[core]") {
  read_buffer buffer;
  CHECK(buffer.space().size() == read_buffer::small_size_bytes);
  buffer.fit(100);
  CHECK(buffer.space().size() == read_buffer::small_size_bytes);
  buffer.fit(read_buffer::small_size_bytes);
  CHECK(buffer.space().size() == read_buffer::large_size_bytes);
  const auto* const memory = buffer.space().data();
  buffer.fit(read_buffer::large_size_bytes);
  CHECK(buffer.space().data() == memory);
  buffer.fit(10);
  CHECK(buffer.space().size() == read_buffer::small_size_bytes);

  // What it gave back serves the next.
  read_buffer other;
  other.fit(read_buffer::small_size_bytes);
  CHECK(other.space().data() == memory);
}

TEST_CASE("byte strings keep their capacity through the pool", "[core]") {
  bytes used(100'000);
  return_pooled_bytes(std::move(used));
  const bytes again = take_pooled_bytes();
  CHECK(again.empty());
  CHECK(again.capacity() >= 100'000);
  CHECK(take_pooled_bytes().capacity() == 0);
}
