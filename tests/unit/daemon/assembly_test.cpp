#include "atlsd/assembly.hpp"

#include <catch2/catch.hpp>

using namespace atls;

TEST_CASE("our certificate's end is told of 14 days before", "[daemon]") {
  using std::chrono::hours;
  const auto expires = std::chrono::sys_days(std::chrono::year(2026) / 12 / 24);
  assembly parts;
  parts.tunnels = std::make_shared<const proxy::tunnel_set>();
  CHECK(expiry_warnings(parts, expires).empty());
  parts.certificate_expires = expires;
  CHECK(expiry_warnings(parts, expires - hours(14 * 24 + 1)).empty());
  const std::string what = "this machine's certificate (identity.certificate) ";
  CHECK(expiry_warnings(parts, expires - hours(14 * 24)) ==
        std::vector{what + "expires at 2026-12-24T00:00:00Z"});
  CHECK(expiry_warnings(parts, expires) ==
        std::vector{what + "has expired at 2026-12-24T00:00:00Z"});
}
