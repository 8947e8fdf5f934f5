#include "schemes/arm_cca/token.hpp"

#include "support/vectors.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

bytes raw(const std::string& name) {
  return read_binary_vector("cca/" + name);
}

std::string outcome(bytes_view input) {
  const auto token = cca_token::parse(input);
  if (!token) {
    return std::string(reason(token.error().code)) + ": " + token.error().detail;
  }
  const auto checked = check_realm(*token);
  return std::string(checked ? "ok" : reason(checked.error().code));
}

}  // namespace

TEST_CASE("CCA tokens in both wrappings are read, and their realm keys vouched for", "[cca]") {
  for (const auto* name :
       {"cca-token-good.cbor", "cca-token-tf-rmm.cbor", "token-399-good.cbor",
        "token-399-profile-2023.cbor", "token-907-good.cbor", "token-907-other-rim.cbor"}) {
    INFO(name);
    CHECK(outcome(raw(name)) == "ok");
  }
  const auto good = cca_token::parse(raw("token-907-good.cbor")).value();
  CHECK(equal(good.realm.challenge, raw("challenge.bin")));
  CHECK(is_secured(good.platform.lifecycle));
  CHECK(outcome(raw("token-907-realm-signed-by-other.cbor")) == "cca_signature");
}

TEST_CASE("CCA: the platform vouches for one realm key alone", "[cca]") {
  auto token = cca_token::parse(raw("token-907-good.cbor")).value();
  CHECK(check_realm(token).has_value());
  token.realm.public_key.back() ^= 1;
  CHECK(check_realm(token).error().code == errc::cca_realm_key);
  token = cca_token::parse(raw("token-907-good.cbor")).value();
  token.realm.public_key_hash = "sha-1";
  CHECK(check_realm(token).error().code == errc::cca_realm_key);
}

TEST_CASE("CCA tokens that are cut short are malformed", "[cca]") {
  const auto good = raw("token-907-good.cbor");
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(outcome(bytes_view(good).first(size)).starts_with("evidence_malformed"));
  }
}
