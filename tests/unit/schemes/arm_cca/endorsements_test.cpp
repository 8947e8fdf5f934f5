#include "schemes/arm_cca/endorsements.hpp"

#include "schemes/arm_cca/facts.hpp"
#include "support/vectors.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

// A CoRIM of one realm whose measurements have these names and digests.
corim realm(const std::vector<std::pair<std::string, bytes>>& measurements) {
  cbor::writer out;
  out.array(1).array(2).map(1).unsigned_integer(0).map(1);
  out.unsigned_integer(0).tag(560).byte_string(bytes(32, 1));
  out.array(measurements.size());
  for (const auto& [name, value] : measurements) {
    out.map(2).unsigned_integer(0).text(name).unsigned_integer(1).map(1);
    if (name == "cca.rpv") {
      out.unsigned_integer(4).tag(560).byte_string(value);
    } else {
      out.unsigned_integer(2).array(1).array(2).unsigned_integer(1).byte_string(value);
    }
  }
  const auto comid = encode_comid("reference values", reference_values_key, out.data());
  return parse_corim(encode_corim({comid}, "tag:arm.com,2025:cca_realm#1.0.0", default_corim_form))
      .value();
}

}  // namespace

TEST_CASE("a published CoRIM of a CCA platform is read", "[cca]") {
  const auto source = parse_corim(read_binary_vector("cca/corim-cca-platform-valid.cbor")).value();
  CHECK(cca_endorsements::is_profile(source.profile));
  const auto read = cca_endorsements::from_corim(source).value();
  const auto token = cca_token::parse(read_binary_vector("cca/cca-token-good.cbor")).value();
  const auto facts = facts_of(token).at("cca");
  REQUIRE(read.platform_keys.size() == 1);
  CHECK(read.platform_keys.contains(token.platform.instance_id));
  REQUIRE(read.platforms.size() == 1);
  CHECK(read.platforms[0].at("implementation_id") == facts.at("implementation_id"));
  CHECK(read.platforms[0].at("config") == facts.at("config"));
  CHECK(read.platforms[0].at("components").size() == 4);
  CHECK(read.realms.empty());
}

TEST_CASE("a CoRIM of a realm names what it is measured as", "[cca]") {
  const auto read = [](const std::vector<std::pair<std::string, bytes>>& measurements) {
    return cca_endorsements::from_corim(realm(measurements));
  };
  const auto good =
      read({{"cca.rim", bytes(32, 1)}, {"cca.rem2", bytes(32, 2)}, {"cca.rpv", bytes(64, 3)}});
  CHECK(good.value().realms == std::vector<json>{{{"rim", to_hex(bytes(32, 1))},
                                                  {"rem2", to_hex(bytes(32, 2))},
                                                  {"rpv", to_hex(bytes(64, 3))}}});
  CHECK(read({{"cca.rim", bytes(32, 2)}}).error().code == errc::corim_malformed);
  CHECK(read({{"cca.rem4", bytes(32, 2)}}).error().code == errc::corim_malformed);
}
