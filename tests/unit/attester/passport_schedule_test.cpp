#include "attester/passport_schedule.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

namespace {

const steady_time now = steady_time(1000h);

}  // namespace

TEST_CASE("the first attempt is due at once", "[attester]") {
  CHECK(passport_schedule().is_due(now, false));
}

TEST_CASE("a passport is renewed at about half of its remaining life", "[attester]") {
  passport_schedule s;
  s.issued(now, 600s, 0);
  CHECK(s.next_attempt() == now + 300s);
  CHECK_FALSE(s.is_due(now + 299s, true));
  CHECK(s.is_due(now + 300s, true));
  s.issued(now, 600s, -1);
  CHECK(s.next_attempt() == now + 270s);
  s.issued(now, 600s, 1);
  CHECK(s.next_attempt() == now + 330s);
  s.issued(now, 600s, 100);
  CHECK(s.next_attempt() == now + 330s);
}

TEST_CASE("passports that live for a moment are not asked for without a pause", "[attester]") {
  passport_schedule s;
  for (const auto life : {-5s, 0s, 1s}) {
    s.issued(now, life, -1);
    CHECK(s.next_attempt() == now + 450ms);
  }
}

TEST_CASE("a passport that lapsed before its renewal is renewed at once", "[attester]") {
  passport_schedule s;
  s.issued(now, 600s, 0);
  CHECK(s.is_due(now + 1s, false));
}

TEST_CASE("failures are followed by growing pauses, until a passport is issued", "[attester]") {
  passport_schedule s;
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    s.failed(now, 0);
    CHECK(s.next_attempt() == now + pause);
    CHECK_FALSE(s.is_due(now + pause - 1ms, false));
  }
  s.failed(now, 1);
  CHECK(s.next_attempt() == now + 66s);
  s.issued(now, 600s, 0);
  s.failed(now, -1);
  CHECK(s.next_attempt() == now + 900ms);
}
