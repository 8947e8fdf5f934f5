#include "proxy/quota.hpp"

#include <catch2/catch.hpp>

using namespace atls::proxy;

TEST_CASE("a connection counts for its tunnel and for all, until it ends", "[proxy]") {
  const connection_quotas quotas{std::make_shared<quota>(), std::make_shared<quota>()};
  quotas.all->set_limit(2);
  quotas.tunnel->set_limit(1);
  counted_connection one;
  CHECK_FALSE(quotas.are_exhausted());
  REQUIRE(one.try_take(quotas));
  CHECK(quotas.are_exhausted());
  counted_connection two;
  CHECK_FALSE(two.try_take(quotas));
  // What the tunnel refused is not counted for all either.
  const connection_quotas another{quotas.all, std::make_shared<quota>()};
  REQUIRE(two.try_take(another));
  counted_connection three;
  CHECK_FALSE(three.try_take(another));
  one = counted_connection();
  CHECK_FALSE(quotas.are_exhausted());
  CHECK(three.try_take(quotas));
}
