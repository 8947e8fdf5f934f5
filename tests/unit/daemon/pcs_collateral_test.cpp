#include "reference_verifier/pcs_collateral.hpp"

#include "core/certificates.hpp"
#include "schemes/sgx/facts.hpp"
#include "schemes/tdx/facts.hpp"
#include "support/cvm_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using std::chrono::sys_days;
using std::chrono::system_clock;

namespace {

const system_clock::time_point now = sys_days(std::chrono::year(2026) / 11 / 26);

pcs_collateral collateral(const std::string& name) {
  return pcs_collateral::read(read_vector("tdx/" + name)).value();
}

trusted_roots test_root() {
  return {.certificates = certificates_from_pem(read_vector("tdx/root.pem")), .fingerprints = {}};
}

result<std::string> status_of(const pcs_collateral& by, const std::string& quote) {
  const auto read = tdx_evidence::parse(tdx_evidence_of(quote)).value();
  return by.tcb_status(read.quote, read.platform);
}

std::string outcome(const result<void>& of) {
  return std::string(of ? "ok" : reason(of.error().code));
}

}  // namespace

TEST_CASE("TDX collateral says how old platform, module and Quoting Enclave are", "[daemon]") {
  const auto known = collateral("collateral.json");
  CHECK(to_hex(known.fmspc()) == "00806f050000");
  CHECK(status_of(known, "quote-v4-good.bin").value() == "UpToDate");
  CHECK(status_of(known, "quote-v5-td15.bin").value() == "UpToDate");
  CHECK(status_of(known, "quote-v4-old-tcb.bin").value() == "OutOfDate");
}

TEST_CASE("SGX collateral says how old platform and Quoting Enclave are", "[daemon]") {
  const auto text = read_vector("sgx/collateral.json");
  const auto known = pcs_collateral::read(text).value();
  CHECK_FALSE(known.is_for_tdx());
  CHECK(collateral("collateral.json").is_for_tdx());
  CHECK(outcome(known.check(test_root(), now)) == "ok");
  const auto read = sgx_evidence::parse(read_binary_vector("sgx/quote-v3-good.bin")).value();
  CHECK(known.tcb_status(read.quote, read.platform).value() == "UpToDate");
  auto older = read;
  older.platform.component_svn[0] = 6;
  CHECK(known.tcb_status(older.quote, older.platform).value() == "OutOfDate");
  older = read;
  older.platform.pce_svn = 4;
  CHECK(known.tcb_status(older.quote, older.platform).error().code == errc::evidence_malformed);
  auto other = read;
  other.quote.signed_by.enclave.mrsigner[0] ^= 1;
  CHECK(known.tcb_status(other.quote, other.platform).error().code == errc::evidence_malformed);
  // An enclave of the other kind.
  auto document = json::parse(text);
  document["qe_identity"] = json::parse(read_vector("tdx/collateral.json"))["qe_identity"];
  CHECK(pcs_collateral::read(document.dump()).error().code == errc::endorsement_missing);
}

TEST_CASE("TDX collateral is Intel's, and the newest there may be", "[daemon]") {
  const auto known = collateral("collateral.json");
  CHECK(outcome(known.check(test_root(), now)) == "ok");
  CHECK(outcome(known.check({}, now)) == "pki_untrusted");
  CHECK(outcome(known.check(test_root(), sys_days(std::chrono::year(2049) / 2 / 1))) ==
        "endorsement_missing");
  // One byte of what is signed.
  auto text = read_vector("tdx/collateral.json");
  const auto at = text.find("\\\"svn\\\":7");
  REQUIRE(at != std::string::npos);
  text[at + 8] = '6';
  CHECK(outcome(pcs_collateral::read(text).value().check(test_root(), now)) ==
        "endorsement_missing");
}

TEST_CASE("TDX collateral of a real platform fits its quote", "[daemon]") {
  const auto known = collateral("real-tdx_quote_collateral.json");
  const auto read = tdx_evidence::parse(tdx_evidence_of("real-tdx_quote.bin")).value();
  CHECK(known.fmspc() == read.platform.fmspc);
  CHECK_FALSE(known.tcb_status(read.quote, read.platform).value().empty());
}
