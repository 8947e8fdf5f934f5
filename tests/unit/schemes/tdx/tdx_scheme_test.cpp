#include "schemes/tdx/tdx_scheme.hpp"

#include "schemes/tdx/facts.hpp"
#include "support/cvm_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

const bytes& binder() {
  static const bytes out = read_binary_vector("tdx/binder.bin");
  return out;
}

std::string outcome(bytes_view evidence, const tdx_policy& policy = {}) {
  const auto checked = tdx_scheme(policy).check(evidence, {binder(), {}});
  return std::string(checked ? "ok" : reason(checked.error().code));
}

bytes changed_quote(const std::function<void(bytes&)>& change) {
  return changed_report("tdx_guest", "tdx/quote-v4-good.bin", "tdx/keys/attestation.key.pem",
                        change, binder());
}

}  // namespace

TEST_CASE("TDX Evidence is checked here as far as that needs no Verifier", "[tdx]") {
  for (const auto* name :
       {"quote-v4-good.bin", "quote-v5-td10.bin", "quote-v5-td15.bin", "quote-v4-old-tcb.bin",
        "quote-v4-other-mrtd.bin", "quote-v4-other-rtmr.bin"}) {
    CAPTURE(name);
    CHECK(outcome(tdx_evidence_of(name)) == "ok");
  }
  CHECK(outcome(tdx_evidence_of("quote-v4-bad-signature.bin")) == "tdx_signature");
  CHECK(outcome(tdx_evidence_of("quote-v4-other-report-data.bin")) == "report_data_mismatch");
}

TEST_CASE("TDX: each field that matters has a reason of its own", "[tdx]") {
  constexpr std::size_t body = 48;
  const std::tuple<const char*, std::size_t, std::uint8_t, const char*> changes[] = {
      {"version", 0, 3, "evidence_malformed"},
      {"key type", 2, 3, "signature_unsupported"},
      {"TEE", 4, 0, "evidence_malformed"},
      {"vendor", 12, 0, "evidence_malformed"},
      {"MRSIGNERSEAM", body + 64, 1, "tdx_module"},
      {"SEAMATTRIBUTES", body + 112, 1, "tdx_module"},
      {"DEBUG", body + 120, 1, "tdx_debug"},
      {"another bit under debug", body + 120, 0x80, "tdx_debug"},
      {"MRTD", body + 136, 0xff, "ok"},
  };
  for (const auto& [what, at, value, reason] : changes) {
    CAPTURE(what);
    CHECK(outcome(tdx_evidence_of(changed_quote(
              [at = at, value = value](bytes& quote) { quote[at] = value; }))) == reason);
  }
}

TEST_CASE("TDX: report data, signatures and what binds them", "[tdx]") {
  constexpr std::size_t signature = 48 + 584 + 4;
  constexpr std::size_t enclave = signature + 64 + 64 + 2 + 4;
  const std::tuple<const char*, std::size_t, const char*> flipped[] = {
      {"report data", 48 + 520, "report_data_mismatch"},
      {"report data beyond the binder", 48 + 583, "report_data_mismatch"},
      {"what is signed", 48 + 136, "tdx_signature"},
      {"signature", signature, "tdx_signature"},
      {"attestation key", signature + 64, "tdx_signature"},
      {"Quoting Enclave", enclave + 64, "tdx_signature"},
      {"the key it vouches for", enclave + 320, "tdx_signature"},
      {"its signature", enclave + 384, "tdx_signature"},
      {"authentication data", enclave + 384 + 64 + 2, "tdx_signature"},
  };
  for (const auto& [what, at, reason] : flipped) {
    CAPTURE(what);
    auto quote = read_binary_vector("tdx/quote-v4-good.bin");
    quote[at] ^= 0x01;
    CHECK(outcome(tdx_evidence_of(std::move(quote))) == reason);
  }
}

TEST_CASE("TDX: debug is taken where it is spelled out, and looked at again", "[tdx]") {
  const auto quote = changed_quote([](bytes& of) { of[48 + 120] = 1; });
  CHECK(outcome(tdx_evidence_of(quote), {.unsafe_debug = true}) == "ok");
  auto good = tdx_scheme({}).check(tdx_evidence_of("quote-v4-good.bin"), {binder(), {}}).value();
  CHECK(tdx_scheme({}).recheck(good).has_value());
  good.facts["tdx"]["attributes"]["debug"] = true;
  CHECK(tdx_scheme({}).recheck(good).error().code == errc::tdx_debug);
  CHECK(tdx_scheme({.unsafe_debug = true}).recheck(good).has_value());
}

TEST_CASE("TDX: real quotes are read, the platform's certificate with them", "[tdx]") {
  for (const auto* name : {"real-tdx_quote.bin", "real-tdx_quote_td15ex.bin"}) {
    CAPTURE(name);
    const auto read = tdx_evidence::parse(tdx_evidence_of(name));
    INFO((read ? "" : read.error().text()));
    REQUIRE(read.has_value());
    CHECK(read->platform.fmspc.size() == 6);
    CHECK(read->platform.ppid.size() == 16);
    CHECK(check_signatures(read->quote).has_value());
  }
  const auto padded = tdx_evidence::parse(tdx_evidence_of("real-go-tdx-guest-quote-v4.bin"));
  CHECK(padded.error().detail == "quote: 39 bytes after its signature data");
  const auto collateral = json::parse(read_vector("tdx/real-tdx_quote_collateral.json"));
  const auto info = json::parse(collateral["tcb_info"].get<std::string>());
  const auto of = tdx_evidence::parse(tdx_evidence_of("real-tdx_quote.bin")).value();
  CHECK(to_bytes(of.platform.fmspc) == from_hex(info["fmspc"].get<std::string>()).value());
}

TEST_CASE("TDX Evidence for Trustee is the quote", "[tdx]") {
  const tdx_scheme scheme({});
  const auto good = scheme.check(tdx_evidence_of("quote-v4-good.bin"), {binder(), {}}).value();
  const auto asked = scheme.for_trustee(good);
  CHECK(asked.evidence == json{{"quote", to_base64(read_binary_vector("tdx/quote-v4-good.bin"))},
                               {"cc_eventlog", nullptr}});
  CHECK(asked.report_data == to_hex(read_binary_vector("tdx/report-data.bin")));
  CHECK(scheme.veraison_nonce(binder()) == read_binary_vector("tdx/report-data.bin"));
}
