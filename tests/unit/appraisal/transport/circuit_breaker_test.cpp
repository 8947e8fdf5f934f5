#include "appraisal/transport/circuit_breaker.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

TEST_CASE("a circuit opens after failures in a row and closes with a trial", "[verifier]") {
  circuit_breaker breaker;
  steady_time now{};
  breaker.failed(now);
  breaker.failed(now);
  breaker.succeeded();
  breaker.failed(now);
  breaker.failed(now);
  CHECK(breaker.admits(now));
  breaker.failed(now);
  CHECK(breaker.is_open());
  CHECK_FALSE(breaker.admits(now + 499ms));
  // One trial; nobody else until it is known.
  now += 500ms;
  CHECK(breaker.admits(now));
  CHECK_FALSE(breaker.admits(now));
  breaker.succeeded();
  CHECK(breaker.admits(now));
}

TEST_CASE("trials of an open circuit become rarer, to a limit", "[verifier]") {
  circuit_breaker breaker;
  steady_time now{};
  for (int i = 0; i < circuit_breaker::failures_to_open; ++i) {
    breaker.failed(now);
  }
  for (const auto pause : {500ms, 1000ms, 2000ms, 2000ms}) {
    CHECK_FALSE(breaker.admits(now + pause - 1ms));
    now += pause;
    REQUIRE(breaker.admits(now));
    breaker.failed(now);
  }
}
