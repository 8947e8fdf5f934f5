#include "schemes/sgx/sgx_scheme.hpp"

#include "support/certificate_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

constexpr std::size_t attributes = 48 + 48;

const bytes& binder() {
  static const bytes out = read_binary_vector("tdx/binder.bin");
  return out;
}

std::string outcome(bytes_view evidence, const sgx_policy& policy = {}) {
  const auto checked = sgx_scheme(policy).check(evidence, {binder(), {}});
  return std::string(checked ? "ok" : reason(checked.error().code));
}

bytes with_flags(std::uint8_t flags) {
  return sgx_quote_over(binder(), [=](bytes& of) { of[attributes] = flags; });
}

}  // namespace

TEST_CASE("SGX Evidence is checked here as far as that needs no Verifier", "[sgx]") {
  CHECK(outcome(with_flags(0x05)) == "ok");
  CHECK(outcome(with_flags(0x07)) == "sgx_debug");
  CHECK(outcome(with_flags(0x07), {.unsafe_debug = true}) == "ok");
  for (const auto& [what, at, expected] :
       {std::tuple{"report data", 48U + 320U, "report_data_mismatch"},
        {"report data beyond the binder", 48U + 383U, "report_data_mismatch"},
        {"MRENCLAVE", 48U + 64U, "sgx_signature"},
        {"version", 0U, "evidence_malformed"}}) {
    CAPTURE(what);
    auto quote = with_flags(0x05);
    quote[at] ^= 0x01;
    CHECK(outcome(quote) == expected);
  }
}

TEST_CASE("SGX: debug is looked at again", "[sgx]") {
  auto good = sgx_scheme({}).check(with_flags(0x05), {binder(), {}}).value();
  CHECK(good.instance.size() == 16);
  CHECK(sgx_scheme({}).recheck(good).has_value());
  good.facts["sgx"]["attributes"]["debug"] = true;
  CHECK(sgx_scheme({}).recheck(good).error().code == errc::sgx_debug);
  CHECK(sgx_scheme({.unsafe_debug = true}).recheck(good).has_value());
}

TEST_CASE("SGX: facts", "[sgx]") {
  const auto facts = sgx_scheme({}).read(with_flags(0x95)).value();
  CHECK(facts["tee"] == "sgx");
  CHECK(facts["sgx"]["mrenclave"] == to_hex(bytes(32, 0x5a)));
  CHECK(facts["sgx"]["mrsigner"] == to_hex(bytes(32, 0xc3)));
  CHECK(facts["sgx"]["isvprodid"] == 7);
  CHECK(facts["sgx"]["isvsvn"] == 3);
  CHECK(facts["sgx"]["attributes"] ==
        json{{"debug", false}, {"provision_key", true}, {"kss", true}});
}

TEST_CASE("SGX Evidence for Trustee is the quote", "[sgx]") {
  const sgx_scheme scheme({});
  const auto quote = with_flags(0x05);
  const auto good = scheme.check(quote, {binder(), {}}).value();
  const auto asked = scheme.for_trustee(good);
  CHECK(asked.evidence == json{{"quote", to_base64(quote)}});
  CHECK(asked.report_data == to_hex(bytes_view(quote).subspan(48 + 320, 64)));
  CHECK(scheme.veraison_nonce(binder()) == to_bytes(bytes_view(quote).subspan(48 + 320, 64)));
}
