#include "schemes/sev_snp/sev_snp_scheme.hpp"

#include "schemes/sev_snp/evidence.hpp"
#include "support/cvm_evidence.hpp"

#include <functional>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

const bytes& binder() {
  static const bytes out = read_binary_vector("snp/binder.bin");
  return out;
}

std::string outcome(bytes_view evidence, const sev_snp_policy& policy = {}) {
  const auto checked = sev_snp_scheme(policy).check(evidence, {binder(), {}});
  return std::string(checked ? "ok" : reason(checked.error().code));
}

// Of the good report, of which something is changed, signed anew.
std::string outcome_of(const std::function<void(bytes&)>& change,
                       const sev_snp_policy& policy = {}) {
  return outcome(snp_evidence(changed_report("sev_guest", "snp/report-good.bin",
                                             "snp/keys/vcek.key.pem", change, binder())),
                 policy);
}

}  // namespace

TEST_CASE("SNP Evidence is checked here as far as that needs no Verifier", "[snp]") {
  CHECK(outcome(snp_evidence("report-good.bin")) == "ok");
  CHECK(outcome(snp_evidence("report-good.bin", "auxblob-vcek-der.bin")) == "ok");
  CHECK(outcome(snp_evidence("report-good-v2.bin")) == "ok");
  CHECK(outcome(snp_evidence("report-good-v5.bin")) == "ok");
  CHECK(outcome(snp_evidence("report-vlek.bin", "auxblob-vlek-pem.bin")) == "ok");
  CHECK(outcome(snp_evidence("report-other-measurement.bin")) == "ok");
  const std::pair<const char*, const char*> refused[] = {
      {"report-debug.bin", "snp_debug"},
      {"report-vmpl2.bin", "snp_vmpl"},
      {"report-bad-signature.bin", "snp_signature"},
      {"report-tcb-not-of-vcek.bin", "snp_tcb_mismatch"},
      {"report-other-report-data.bin", "report_data_mismatch"},
      {"report-reserved-not-zero.bin", "evidence_malformed"},
      {"report-policy-bit17-clear.bin", "evidence_malformed"},
      {"report-vlek.bin", "snp_certificate"},
  };
  for (const auto& [name, reason] : refused) {
    CAPTURE(name);
    CHECK(outcome(snp_evidence(name)) == reason);
  }
  CHECK(outcome(snp_evidence("report-good.bin", "")) == "snp_certificate");
}

TEST_CASE("SNP: each field that matters has a reason of its own", "[snp]") {
  const std::tuple<const char*, std::size_t, std::uint8_t, const char*> flipped[] = {
      {"nothing", 0x00, 0x00, "ok"},
      {"an unknown version", 0x00, 0x05, "evidence_malformed"},
      {"an unknown bit of POLICY", 0x0b, 0x04, "evidence_malformed"},
      {"another algorithm", 0x34, 0x03, "evidence_malformed"},
      {"no signing key", 0x48, 7 << 2, "signature_unsupported"},
      {"signed by a VLEK, it says", 0x48, 1 << 2, "snp_certificate"},
      {"DEBUG", 0x0a, 0x08, "snp_debug"},
      {"MIGRATE_MA", 0x0a, 0x04, "snp_migration"},
      {"a migration agent", 0x160, 0x01, "snp_migration"},
      {"VMPL 1", 0x30, 0x01, "snp_vmpl"},
      {"reported boot loader", 0x180, 0x01, "snp_tcb_mismatch"},
      {"reported TEE", 0x181, 0x01, "snp_tcb_mismatch"},
      {"reported SNP firmware", 0x186, 0x01, "snp_tcb_mismatch"},
      {"reported microcode", 0x187, 0x01, "snp_tcb_mismatch"},
      {"older boot loader runs", 0x38, 0x01, "snp_tcb_order"},
      {"older microcode runs", 0x3f, 0x40, "snp_tcb_order"},
      {"chip", 0x1a0, 0x01, "snp_chip_mismatch"},
      {"end of the chip", 0x1df, 0x01, "snp_chip_mismatch"},
      {"measurement", 0x90, 0x01, "ok"},
  };
  for (const auto& [what, at, bits, reason] : flipped) {
    CAPTURE(what);
    CHECK(outcome_of([at = at, bits = bits](bytes& report) { report[at] ^= bits; }) == reason);
  }
}

TEST_CASE("SNP: report data and signature cover what they are for", "[snp]") {
  const std::pair<std::size_t, const char*> flipped[] = {
      {0x50, "report_data_mismatch"}, {0x6f, "report_data_mismatch"},
      {0x8f, "report_data_mismatch"}, {0x90, "snp_signature"},
      {0x2a0, "snp_signature"},       {0x2e8, "snp_signature"}};
  for (const auto& [at, reason] : flipped) {
    CAPTURE(at);
    auto report = read_binary_vector("snp/report-good.bin");
    report[at] ^= 0x01;
    CHECK(outcome(snp_evidence(std::move(report))) == reason);
  }
}

TEST_CASE("SNP: a hidden chip is nobody in particular", "[snp]") {
  const auto hidden = snp_evidence(changed_report(
      "sev_guest", "snp/report-good.bin", "snp/keys/vcek.key.pem",
      [](bytes& report) {
        report[0x48] |= 0x02;
        std::fill_n(report.begin() + 0x1a0, 64, std::uint8_t{0});
      },
      binder()));
  CHECK(sev_snp_scheme({}).check(hidden, {binder(), {}}).value().instance.empty());
}

TEST_CASE("SNP: what a policy lets pass is spelled out, and nothing else is", "[snp]") {
  const auto debug = [](bytes& report) { report[0x0a] ^= 0x08; };
  const auto migration = [](bytes& report) { report[0x0a] ^= 0x04; };
  const auto agent = [](bytes& report) { report[0x160] = 0; };
  const auto vmpl = [](bytes& report) { report[0x30] = 2; };
  CHECK(outcome_of(debug, {.unsafe_debug = true}) == "ok");
  CHECK(outcome_of(debug, {.max_vmpl = 3, .unsafe_migration = true}) == "snp_debug");
  CHECK(outcome_of(migration, {.unsafe_migration = true}) == "ok");
  CHECK(outcome_of(agent, {.unsafe_migration = true}) == "ok");
  CHECK(outcome_of(migration, {.max_vmpl = 3, .unsafe_debug = true}) == "snp_migration");
  CHECK(outcome_of(vmpl, {.max_vmpl = 2}) == "ok");
  CHECK(outcome_of(vmpl, {.max_vmpl = 1}) == "snp_vmpl");
  CHECK(outcome_of(vmpl, {.unsafe_debug = true, .unsafe_migration = true}) == "snp_vmpl");
}

TEST_CASE("SNP: a peer is checked again by another policy", "[snp]") {
  const auto debug = sev_snp_scheme({.unsafe_debug = true})
                         .check(snp_evidence("report-debug.bin"), {binder(), {}})
                         .value();
  CHECK(sev_snp_scheme({.unsafe_debug = true}).recheck(debug).has_value());
  CHECK(sev_snp_scheme({}).recheck(debug).error().code == errc::snp_debug);
}

TEST_CASE("SNP: reports of other providers and of SVSM services are refused", "[snp]") {
  auto message = tsm_report::parse(snp_evidence("report-good.bin")).value();
  message.provider = "tdx_guest";
  CHECK(outcome(message.encode()) == "evidence_malformed");
  message.provider = "sev_guest";
  message.service_provider = "svsm";
  CHECK(outcome(message.encode()) == "evidence_malformed");
  CHECK(outcome({}) == "evidence_malformed");
}

TEST_CASE("SNP: the chip is the machine", "[snp]") {
  const auto good =
      sev_snp_scheme({}).check(snp_evidence("report-good.bin"), {binder(), {}}).value();
  CHECK(json(to_hex(good.instance)) == good.facts["snp"]["chip_id"]);
  CHECK(good.instance.size() == snp_report::chip_id_bytes);
  CHECK(good.facts["key"]["resident"] == "none");
}

TEST_CASE("SNP Evidence for Trustee is what its own attester sends", "[snp]") {
  const sev_snp_scheme scheme({});
  const auto good = scheme.check(snp_evidence("report-good.bin"), {binder(), {}}).value();
  const auto asked = scheme.for_trustee(good);
  CHECK(asked.evidence == json::parse(read_vector("snp/trustee-evidence.json")));
  CHECK(asked.report_data == to_hex(read_binary_vector("snp/report-data.bin")));
  CHECK(scheme.shape().tee == "snp");
}

TEST_CASE("SNP Evidence for Veraison has its certificates in PEM", "[snp]") {
  const sev_snp_scheme scheme({});
  for (const auto* table : {"auxblob-vcek-der.bin", "auxblob-vcek-pem.bin"}) {
    const auto good = scheme.check(snp_evidence("report-good.bin", table), {binder(), {}}).value();
    const auto asked = scheme.for_veraison(good);
    CHECK(asked.media_type == "application/vnd.veraison.tsm-report+cbor");
    CHECK(scheme.veraison_nonce(binder()) == read_binary_vector("snp/report-data.bin"));
    const auto sent = tsm_report::parse(asked.content).value();
    CHECK(sent.outblob == read_binary_vector("snp/report-good.bin"));
    CHECK(as_text(sent.auxblob).find(read_vector("snp/ark.pem")) != std::string_view::npos);
    CHECK(as_text(sent.auxblob).find(read_vector("snp/ask.pem")) != std::string_view::npos);
    CHECK(as_text(sent.auxblob).find(read_vector("snp/vcek.pem")) != std::string_view::npos);
  }
}
