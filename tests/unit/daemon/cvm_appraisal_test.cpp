// The reference Verifier's appraisal of confidential VMs; the whole way is
// tests/integration/test_confidential_vms.py.
#include "core/certificates.hpp"
#include "reference_verifier/arm_cca_appraisal.hpp"
#include "reference_verifier/azure_vtpm_appraisal.hpp"
#include "reference_verifier/sev_snp_appraisal.hpp"
#include "reference_verifier/sgx_appraisal.hpp"
#include "reference_verifier/tdx_appraisal.hpp"
#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "schemes/arm_cca/token.hpp"
#include "schemes/tdx/facts.hpp"
#include "support/azure_evidence.hpp"
#include "support/certificate_evidence.hpp"
#include "support/cvm_evidence.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace fs = std::filesystem;

namespace {

// Endorsements of the test machines, of which `change` takes or adds something.
class known_machines {
 public:
  explicit known_machines(const std::function<void(json&)>& change = [](json&) {}) {
    fs::create_directories(path_);
    const auto cca =
        arm_cca_scheme({}).read(read_binary_vector("cca/token-907-good.cbor")).value().at("cca");
    const auto quote = read_binary_vector("tdx/quote-v4-good.bin");
    const std::string vectors = vectors_directory().string() + "/";
    json document{
        {"snp",
         {{"roots", vectors + "snp/ark.pem"},
          {"references",
           json::array({{{"measurement", to_hex(read_binary_vector("snp/measurement.bin"))}}})}}},
        {"tdx",
         {{"roots", vectors + "tdx/root.pem"},
          {"collateral", json::array({vectors + "tdx/collateral.json"})},
          {"references",
           json::array({{{"mrtd", to_hex(bytes_view(quote).subspan(48 + 136, 48))}}})}}},
        {"sgx",
         {{"roots", vectors + "tdx/root.pem"},
          {"collateral", json::array({vectors + "sgx/collateral.json"})},
          {"references",
           json::array({{{"mrsigner", to_hex(bytes(32, 0xc3))}, {"isvprodid", 7}}})}}},
        {"cca",
         {{"platforms", json::array({{{"instance_id", cca.at("instance_id")},
                                      {"key", vectors + "cca/iak.pub.pem"}}})},
          {"platform_references", json::array({{{"components", cca.at("components")}}})},
          {"references", json::array({{{"rim", cca.at("rim")}, {"rem0", cca.at("rem0")}}})}}}};
    document["azure"] = {{"snp", document["snp"]["references"]},
                         {"tdx", document["tdx"]["references"]}};
    change(document);
    write_file(path_ / endorsement_store::cvm_file, document.dump(), 0600).value();
    load();
  }
  ~known_machines() { fs::remove_all(path_); }

  void add_corim(bytes_view corim) {
    write_file(path_ / "a.cbor", as_text(corim), 0600).value();
    load();
  }
  /// Reference values of machines with a TPM, without their trust anchors.
  void know(const parsec_tpm_endorsements& machine) {
    add_corim(parsec_tpm_endorsements{.references = machine.references}.encode());
  }

  /// `more` is what the appraiser takes besides.
  template <class Appraiser, class... More>
  std::string verdict(bytes_view evidence, bytes_view nonce, const More&... more) const {
    std::string out;
    for (const auto& [name, appraisal] : Appraiser(store_, more...).appraise(evidence, nonce)) {
      const auto problem = string_member(appraisal.policy_claims, "problem");
      out += (out.empty() ? "" : ", ") + std::string(to_string(appraisal.status)) +
             (problem ? ": " + *problem : "");
    }
    return out;
  }

 private:
  void load() {
    store_ = std::make_shared<const endorsement_store>(endorsement_store::load(path_).value());
  }

  const fs::path path_ = fs::temp_directory_path() / ("cvms-" + std::to_string(::getpid()));
  std::shared_ptr<const endorsement_store> store_;
};

}  // namespace

TEST_CASE("SNP guests are appraised by chain, firmware and measurement", "[daemon]") {
  const auto nonce = read_binary_vector("snp/report-data.bin");
  const auto verdict = [&](const known_machines& by, const std::string& report) {
    return by.verdict<sev_snp_appraiser>(snp_evidence(report), nonce);
  };
  using Catch::Contains;
  {
    const known_machines known;
    CHECK(verdict(known, "report-good.bin") == "affirming");
    CHECK_THAT(verdict(known, "report-debug.bin"), Contains("can be debugged"));
    CHECK_THAT(verdict(known, "report-other-measurement.bin"), Contains("not among"));
    CHECK_THAT(verdict(known, "report-bad-signature.bin"), Contains("snp_signature"));
    CHECK_THAT(verdict(known, "report-tcb-not-of-vcek.bin"), Contains("snp_tcb_mismatch"));
    CHECK_THAT(verdict(known, "report-other-report-data.bin"), Contains("report_data_mismatch"));
  }
  const known_machines old([](json& of) { of["snp"]["min_tcb"] = {{"snp", 24}}; });
  CHECK_THAT(verdict(old, "report-good.bin"), Contains("expected at least"));
}

TEST_CASE("SNP guests of another maker are nobody's", "[daemon]") {
  const known_machines known([](json& of) { of["snp"]["roots"] = of["tdx"]["roots"]; });
  CHECK_THAT(known.verdict<sev_snp_appraiser>(snp_evidence("report-good.bin"),
                                              read_binary_vector("snp/report-data.bin")),
             Catch::Contains("pki_untrusted"));
}

TEST_CASE("without roots of its own a Verifier goes by those of the makers", "[daemon]") {
  const known_machines known([](json& of) {
    of["snp"].erase("roots");
    of["tdx"].erase("roots");
  });
  CHECK_THAT(known.verdict<sev_snp_appraiser>(snp_evidence("report-good.bin"),
                                              read_binary_vector("snp/report-data.bin")),
             Catch::Contains("pki_untrusted"));
  CHECK_THAT(known.verdict<tdx_appraiser>(tdx_evidence_of("quote-v4-good.bin"),
                                          read_binary_vector("tdx/report-data.bin")),
             Catch::Contains("pki_untrusted"));
  const auto real = tdx_evidence::parse(tdx_evidence_of("real-tdx_quote.bin")).value();
  const auto chain = certificates_from_pem(real.quote.signed_by.pck_chain);
  CHECK(check_chain(chain.front().get(), chain, intel_roots(), {}).has_value());
  CHECK(check_chain(chain.front().get(), chain, amd_roots(), {}).error().code ==
        errc::pki_untrusted);
}

TEST_CASE("TDs are appraised by chain, TCB and measurements", "[daemon]") {
  const auto nonce = read_binary_vector("tdx/report-data.bin");
  const known_machines known;
  const auto verdict = [&](const std::string& quote) {
    return known.verdict<tdx_appraiser>(tdx_evidence_of(quote), nonce);
  };
  CHECK(verdict("quote-v4-good.bin") == "affirming");
  CHECK_THAT(verdict("quote-v4-old-tcb.bin"), Catch::Contains("OutOfDate"));
  CHECK_THAT(verdict("quote-v4-other-mrtd.bin"), Catch::Contains("not among"));
  CHECK_THAT(verdict("quote-v4-bad-signature.bin"), Catch::Contains("tdx_signature"));
  CHECK_THAT(verdict("quote-v4-other-report-data.bin"), Catch::Contains("report_data_mismatch"));
  CHECK_THAT(verdict("real-tdx_quote.bin"), Catch::Contains("no collateral"));
}

TEST_CASE("enclaves are appraised by chain, TCB and who signed them", "[daemon]") {
  const auto nonce = read_binary_vector("tdx/report-data.bin");
  const known_machines known;
  const auto verdict = [&](const std::function<void(bytes&)>& change, bytes_view over) {
    return known.verdict<sgx_appraiser>(sgx_quote_over(over, change), nonce);
  };
  constexpr std::size_t body = 48;
  CHECK(verdict([](bytes&) {}, nonce) == "affirming");
  CHECK_THAT(verdict([](bytes& of) { of[body + 48] |= 2; }, nonce),
             Catch::Contains("can be debugged"));
  CHECK_THAT(verdict([](bytes& of) { of[body + 128] ^= 1; }, nonce), Catch::Contains("not among"));
  CHECK_THAT(verdict([](bytes& of) { of[body + 256] ^= 1; }, nonce), Catch::Contains("not among"));
  CHECK_THAT(verdict([](bytes&) {}, bytes(32, 1)), Catch::Contains("report_data_mismatch"));
  auto altered = sgx_quote_over(nonce);
  altered[body + 64] ^= 1;
  CHECK_THAT(known.verdict<sgx_appraiser>(altered, nonce), Catch::Contains("sgx_signature"));
  CHECK_THAT(known.verdict<sgx_appraiser>(bytes(3), nonce), Catch::Contains("evidence_malformed"));
  const known_machines strangers([](json& of) { of["sgx"]["roots"] = of["snp"]["roots"]; });
  CHECK_THAT(strangers.verdict<sgx_appraiser>(sgx_quote_over(nonce), nonce),
             Catch::Contains("pki_untrusted"));
}

TEST_CASE("realms are appraised with their platform", "[daemon]") {
  const auto nonce = read_binary_vector("cca/binder.bin");
  const known_machines known;
  const auto verdict = [&](const std::string& token) {
    return known.verdict<arm_cca_appraiser>(read_binary_vector("cca/" + token), nonce);
  };
  CHECK(verdict("token-907-good.cbor") == "affirming, affirming");
  CHECK_THAT(verdict("token-907-other-rim.cbor"), Catch::StartsWith("affirming, warning: RIM"));
  CHECK_THAT(verdict("token-907-other-challenge.cbor"), Catch::Contains("report_data_mismatch"));
  CHECK_THAT(verdict("token-907-realm-signed-by-other.cbor"), Catch::Contains("cca_signature"));
  const known_machines other([](json& of) {
    of["cca"]["platform_references"][0]["components"] = json::array({std::string(64, '0')});
  });
  CHECK_THAT(other.verdict<arm_cca_appraiser>(read_binary_vector("cca/token-907-good.cbor"), nonce),
             Catch::StartsWith("warning: components") && Catch::EndsWith("affirming"));
}

TEST_CASE("a published token of a platform is appraised by its published CoRIM", "[daemon]") {
  const auto token = read_binary_vector("cca/cca-token-good.cbor");
  known_machines known([](json& of) {
    of["cca"] = {{"references", json::array({{{"rim", std::string(96, '0')}}})}};
  });
  CHECK_THAT(known.verdict<arm_cca_appraiser>(token, bytes(64, 0)), Catch::Contains("no key of"));
  known.add_corim(read_binary_vector("cca/corim-cca-platform-valid.cbor"));
  const auto challenge = cca_token::parse(token).value().realm.challenge;
  CHECK_THAT(known.verdict<arm_cca_appraiser>(token, challenge),
             Catch::StartsWith("affirming, warning: RIM"));
}

TEST_CASE("Azure VMs are appraised by their hardware and the TPM that it vouches for", "[daemon]") {
  using Catch::Contains;
  for (const auto hardware : {azure_hardware::snp, azure_hardware::tdx}) {
    const azure_evidence_maker maker(hardware);
    const pcr_selection required{tpm_hash::sha256, 0xff};
    CHECK_THAT(
        known_machines().verdict<azure_vtpm_appraiser>(maker.make(), maker.tpm.binder, required),
        Contains("the TPM: the PCRs match no reference values"));
    known_machines known;
    known.know(endorsements_of(maker.tpm));
    const auto verdict = [&](const azure_evidence_maker& of) {
      return known.verdict<azure_vtpm_appraiser>(of.make(), of.tpm.binder, required);
    };
    CHECK(verdict(maker) == "affirming");
    CHECK_THAT(known.verdict<azure_vtpm_appraiser>(maker.make(), bytes(32, 1), required),
               Contains("the TPM: freshness"));
    CHECK_THAT(known.verdict<azure_vtpm_appraiser>(bytes(9), maker.tpm.binder, required),
               Contains("evidence_malformed"));

    known_machines without_paravisors([](json& of) { of.erase("azure"); });
    without_paravisors.know(endorsements_of(maker.tpm));
    CHECK_THAT(
        without_paravisors.verdict<azure_vtpm_appraiser>(maker.make(), maker.tpm.binder, required),
        Contains("the hardware: ") && Contains("not among"));

    azure_evidence_maker other_image(hardware);
    const std::size_t measured = hardware == azure_hardware::snp ? 0x90 : 48 + 136;
    other_image.change_hardware = [&](bytes& report) { report[measured] ^= 1; };
    CHECK_THAT(verdict(other_image), Contains("the hardware: ") && Contains("not among"));
    azure_evidence_maker debug(hardware);
    debug.change_hardware = [&](bytes& report) {
      report[hardware == azure_hardware::snp ? 0x0a : 48 + 120] ^=
          hardware == azure_hardware::snp ? 0x08 : 0x01;
    };
    CHECK_THAT(verdict(debug), Contains("the hardware: ") && Contains("can be debugged"));
    azure_evidence_maker other_key(hardware);
    other_key.certifier.reset(EVP_RSA_gen(2048));
    CHECK_THAT(verdict(other_key), Contains("azure_ak_signature"));
    azure_evidence_maker other_signer(hardware);
    other_signer.tpm.pat_signer = new_key();
    CHECK_THAT(verdict(other_signer), Contains("azure_tpm_signature"));
    azure_evidence_maker unbound(hardware);
    unbound.report_data = bytes(32, 7);
    CHECK_THAT(verdict(unbound), Contains("the hardware: ") && Contains("report_data_mismatch"));
  }
}

TEST_CASE("what a document about confidential VMs lacks is said", "[daemon]") {
  const auto problem = [](const std::function<void(json&)>& change) -> std::string {
    try {
      const known_machines known(change);
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  CHECK(problem([](json&) {}).empty());
  CHECK_THAT(problem([](json& of) { of["snq"] = 1; }), Catch::Contains("\"snq\" is not known"));
  CHECK_THAT(problem([](json& of) { of["snp"]["roots"] = 1; }), Catch::Contains("snp.roots"));
  CHECK_THAT(problem([](json& of) {
               of["snp"]["min_tcb"] = {{"snp", 256}};
             }),
             Catch::Contains("expected 0 to 255"));
  CHECK_THAT(problem([](json& of) { of["tdx"]["collateral"][0] = of["tdx"]["roots"]; }),
             Catch::Contains("tdx.collateral"));
  CHECK_THAT(problem([](json& of) { of["sgx"]["collateral"] = of["tdx"]["collateral"]; }),
             Catch::Contains("sgx.collateral: of another TEE"));
  CHECK_THAT(problem([](json& of) { of["cca"]["platforms"][0]["instance_id"] = "x"; }),
             Catch::Contains("instance_id"));
  CHECK_THAT(problem([](json& of) { of["azure"]["cca"] = 1; }), Catch::Contains("\"cca\" is not"));
  CHECK_THAT(problem([](json& of) { of["azure"]["snp"][0] = 1; }), Catch::Contains("azure.snp"));
}
