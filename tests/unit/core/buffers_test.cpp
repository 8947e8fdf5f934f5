#include "core/buffers.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace atls;

namespace {

buffer take(buffer::size wanted) {
  return buffer::take(wanted, buffer::new_owner());
}

}  // namespace

TEST_CASE("a buffer that is given back serves the next", "[core]") {
  buffer first = take(buffer::size::bulk);
  CHECK(first.capacity() == buffer::bulk_size_bytes);
  const auto* const memory = first.data();
  first.give_back();
  CHECK(first.capacity() == 0);
  CHECK(take(buffer::size::bulk).data() == memory);
}

TEST_CASE("what one owner left in memory is not there for another", "[core]") {
  const auto one = buffer::new_owner();
  for (const auto size : {buffer::size::waiting, buffer::size::record, buffer::size::bulk}) {
    buffer first = buffer::take(size, one);
    auto* const memory = first.data();
    std::fill_n(memory, 1000, std::uint8_t{7});
    first.note_used(1000);
    first.give_back();
    buffer again = buffer::take(size, one);
    REQUIRE(again.data() == memory);
    CHECK(memory[999] == 7);
    // Less is used this time; what was there before is still wiped.
    again.note_used(10);
    again.give_back();
    const buffer anothers = take(size);
    REQUIRE(anothers.data() == memory);
    CHECK(std::all_of(memory, memory + 1000, [](std::uint8_t byte) { return byte == 0; }));
  }
}

TEST_CASE("a thread lends so many large buffers and then smaller ones", "[core]") {
  std::vector<buffer> lent;
  do {
    lent.push_back(take(buffer::size::bulk));
    REQUIRE(lent.size() < 1000);
  } while (lent.back().capacity() == buffer::bulk_size_bytes);
  CHECK(lent.back().capacity() == buffer::record_size_bytes);
  lent.front().give_back();
  CHECK(take(buffer::size::bulk).capacity() == buffer::bulk_size_bytes);
}

TEST_CASE("a receive buffer is small while it waits and keeps what it holds", "[core]") {
  receive_buffer input;
  auto room = input.room_to_wait();
  CHECK(room.size() == buffer::waiting_size_bytes);
  std::fill(room.begin(), room.end(), std::uint8_t{7});
  input.add(room.size());

  room = input.room_to_drain();
  CHECK(room.size() == buffer::bulk_size_bytes - buffer::waiting_size_bytes);
  std::fill_n(room.begin(), 1000, std::uint8_t{8});
  input.add(1000);
  input.consume(buffer::waiting_size_bytes - 1);
  REQUIRE(input.filled().size() == 1001);

  // What is left of a record waits in a buffer of a record's size.
  room = input.room_to_wait();
  CHECK(room.size() == buffer::record_size_bytes - 1001);
  CHECK(input.filled().front() == 7);
  CHECK(input.filled().back() == 8);
  input.consume(1001);
  CHECK(input.empty());
  CHECK(input.room_to_wait().size() == buffer::waiting_size_bytes);
}

TEST_CASE("a send buffer keeps the order", "[core]") {
  send_buffer output;
  CHECK(output.empty());
  output.room()[0] = 1;
  output.add(1);
  output.room()[0] = 2;
  output.add(1);
  CHECK(output.waiting().front() == 1);
  output.sent(1);
  CHECK(output.waiting().front() == 2);
  output.sent(1);
  CHECK(output.empty());
}
