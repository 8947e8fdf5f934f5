#include "schemes/arm_cca/arm_cca_scheme.hpp"

#include "formats/ear.hpp"
#include "support/vectors.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

bytes token(const std::string& name) {
  return read_binary_vector("cca/" + name);
}

const bytes& binder() {
  static const bytes out = token("binder.bin");
  return out;
}

std::string outcome(bytes_view evidence, const arm_cca_policy& policy = {}) {
  const auto checked = arm_cca_scheme(policy).check(evidence, {binder(), {}});
  return std::string(checked ? "ok" : reason(checked.error().code));
}

}  // namespace

TEST_CASE("CCA tokens are checked here as far as that needs no Verifier", "[cca]") {
  for (const auto* name :
       {"token-907-good.cbor", "token-399-good.cbor", "token-399-profile-2023.cbor",
        "token-907-other-rim.cbor", "token-907-other-rem.cbor"}) {
    CAPTURE(name);
    CHECK(outcome(token(name)) == "ok");
  }
  CHECK(outcome(token("token-907-other-challenge.cbor")) == "report_data_mismatch");
  CHECK(outcome(token("token-907-realm-signed-by-other.cbor")) == "cca_signature");
}

TEST_CASE("CCA: a platform that is not secured is refused unless that is spelled out", "[cca]") {
  auto good = arm_cca_scheme({}).check(token("token-907-good.cbor"), {binder(), {}}).value();
  CHECK(arm_cca_scheme({}).recheck(good).has_value());
  for (const unsigned lifecycle : {0x0000U, 0x2fffU, 0x3100U, 0x4000U, 0x6000U}) {
    good.facts["cca"]["lifecycle"] = lifecycle;
    CHECK(arm_cca_scheme({}).recheck(good).error().code == errc::cca_lifecycle);
    CHECK(arm_cca_scheme({.unsafe_lifecycle = true}).recheck(good).has_value());
  }
  good.facts["cca"]["lifecycle"] = 0x30ffU;
  CHECK(arm_cca_scheme({}).recheck(good).has_value());
}

TEST_CASE("CCA: results must recognise platform and realm", "[cca]") {
  const auto shape = arm_cca_scheme({}).shape();
  REQUIRE(shape.submodules.size() == 2);
  for (const auto& one : shape.submodules) {
    CHECK(one.recognised == std::vector{trust_claim::executables});
  }
}

TEST_CASE("CCA Evidence for Trustee is the token's bytes", "[cca]") {
  const arm_cca_scheme scheme({});
  const auto raw = token("token-399-good.cbor");
  const auto good = scheme.check(raw, {binder(), {}}).value();
  const auto asked = scheme.for_trustee(good);
  CHECK(asked.evidence["token"].get<std::vector<std::uint8_t>>() == raw);
  CHECK(asked.report_data == to_hex(token("challenge.bin")));
  CHECK(good.instance.size() == 33);
}
