#include "core/fair_queue.hpp"

#include <catch2/catch.hpp>

using atls::fair_queue;

TEST_CASE("sources take turns, and each keeps its order", "[core]") {
  fair_queue<int> queue;
  for (const int entry : {1, 2, 3, 4}) {
    queue.push("many", entry);
  }
  queue.push("few", 10);
  queue.push("few", 11);
  CHECK(queue.size() == 6);
  std::vector<int> order;
  while (!queue.empty()) {
    order.push_back(queue.pop());
  }
  CHECK(order == std::vector{1, 10, 2, 11, 3, 4});
}

TEST_CASE("how many are ahead is what is popped before", "[core]") {
  fair_queue<int> queue;
  for (int entry = 0; entry < 100; ++entry) {
    queue.push("many", 0);
  }
  CHECK(queue.ahead_of("many") == 100);
  CHECK(queue.ahead_of("new") == 1);
  queue.push("new", 1);
  CHECK(queue.ahead_of("new") == 3);
  CHECK(queue.pop() == 0);
  CHECK(queue.pop() == 1);
}

TEST_CASE("entries are taken out from anywhere", "[core]") {
  fair_queue<int> queue;
  for (int entry = 0; entry < 10; ++entry) {
    queue.push(entry % 2 == 0 ? "even" : "odd", entry);
  }
  queue.remove_if([](int entry) { return entry % 2 == 1 || entry == 4; });
  CHECK(queue.size() == 4);
  CHECK(queue.ahead_of("odd") == 1);
  CHECK(queue.pop() == 0);
  CHECK(queue.pop() == 2);
  CHECK(queue.pop() == 6);
  CHECK(queue.pop() == 8);
  CHECK(queue.empty());
}

TEST_CASE("room is made at the cost of whoever has most entries", "[core]") {
  fair_queue<int> queue;
  CHECK_FALSE(queue.make_room_for("new").has_value());
  queue.push("one", 0);
  for (const int entry : {1, 2, 3}) {
    queue.push("many", entry);
  }
  CHECK(queue.make_room_for("new") == 3);
  CHECK(queue.size() == 3);
  // Now nobody would be better off by it.
  CHECK_FALSE(queue.make_room_for("one").has_value());
  CHECK_FALSE(queue.make_room_for("many").has_value());
  CHECK(queue.make_room_for("new") == 2);
  CHECK_FALSE(queue.make_room_for("new").has_value());
  CHECK(queue.pop() == 0);
  CHECK(queue.pop() == 1);
}
