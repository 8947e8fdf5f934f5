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
  keys.set_current({first}, now);
  keys.set_current({first}, now);
  CHECK(keys.usable(now) == result_keys::list{first});
  keys.set_current({second}, now);
  CHECK(keys.usable(now + 9s) == result_keys::list{second, first});
  CHECK(keys.usable(now + 10s) == result_keys::list{second});
  keys.set_current({first}, now + 5s);
  CHECK(keys.usable(now + 12s) == result_keys::list{first, second});
  for (int i = 0; i < 9; ++i) {
    keys.set_current({key()}, now + 5s);
  }
  CHECK(keys.usable(now + 5s).size() == 5);
}

TEST_CASE("of several keys those retire that are shown no longer", "[verifier]") {
  result_keys keys(10s);
  result_keys::clock::time_point now{};
  const auto a = key();
  const auto b = key();
  const auto c = key();
  keys.set_current({a, b}, now);
  CHECK(keys.usable(now) == result_keys::list{a, b});
  keys.set_current({b, a}, now);
  CHECK(keys.usable(now + 10s) == result_keys::list{b, a});
  keys.set_current({c, b}, now);
  CHECK(keys.usable(now + 9s) == result_keys::list{c, b, a});
  CHECK(keys.usable(now + 10s) == result_keys::list{c, b});
  keys.set_current({a}, now + 5s);
  CHECK(keys.usable(now + 14s) == result_keys::list{a, c, b});
  CHECK(keys.usable(now + 15s) == result_keys::list{a});

  // Many keys that retire at once are not taken for many rotations.
  const result_keys::list many{key(), key(), key(), key(), key(), key()};
  keys.set_current(many, now + 20s);
  keys.set_current({b}, now + 20s);
  CHECK(keys.usable(now + 20s).size() == 1 + many.size() + 1);
}

TEST_CASE("the same key, read again, is the same key", "[verifier]") {
  result_keys keys(10s);
  const result_keys::clock::time_point now{};
  const auto first = key();
  const auto again = std::make_shared<const jws_key>(parse_jwk(to_jwk(*first)).value());
  keys.set_current({first}, now);
  keys.set_current({again}, now);
  CHECK(keys.usable(now).size() == 1);
}
