#include "dialects/cache_control.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using std::chrono::seconds;

TEST_CASE("how long an answer may be believed", "[verifier]") {
  CHECK(max_age("max-age=86400") == seconds(86400));
  CHECK(max_age("public, max-age=5, must-revalidate") == seconds(5));
  CHECK(max_age("max-age=0") == seconds(0));
  for (const auto* none : {"", "no-store", "max-age", "max-age=", "max-age=x", "max-age=-1",
                           "max-age=99999999999", "s-maxage=9"}) {
    INFO(none);
    CHECK_FALSE(max_age(none).has_value());
  }
}
