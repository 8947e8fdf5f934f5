#include "appraisal/transport/result_keys.hpp"

#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const jws_key> key() {
  return std::make_shared<const jws_key>(jws_key{"ES256", test::new_key()});
}

}  // namespace

TEST_CASE("a retired key is honoured for its grace, and no more than four", "[verifier]") {
  result_keys keys(10s);
  result_keys::clock::time_point now{};
  CHECK(keys.usable(now).empty());
  const auto first = key();
  const auto second = key();
  keys.set_current(first, now);
  keys.set_current(first, now);
  CHECK(keys.usable(now) == result_keys::list{first});
  keys.set_current(second, now);
  CHECK(keys.usable(now + 9s) == result_keys::list{second, first});
  CHECK(keys.usable(now + 10s) == result_keys::list{second});
  keys.set_current(first, now + 5s);
  CHECK(keys.usable(now + 12s) == result_keys::list{first, second});
  for (int i = 0; i < 9; ++i) {
    keys.set_current(key(), now + 5s);
  }
  CHECK(keys.usable(now + 5s).size() == 5);
}
