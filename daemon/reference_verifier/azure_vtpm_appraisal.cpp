#include "reference_verifier/azure_vtpm_appraisal.hpp"

#include "reference_verifier/parsec_tpm_appraisal.hpp"
#include "reference_verifier/sev_snp_appraisal.hpp"
#include "reference_verifier/tdx_appraisal.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/azure_vtpm/attestation_key.hpp"
#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"
#include "schemes/report_data.hpp"

namespace atls {
namespace {

constexpr std::string_view scheme = azure_vtpm_scheme::submodule;

// The attestation key that signed the statements is certified by the key that the hardware report
// names; whether that report is good is another matter.
result<azure_vtpm_evidence> authenticate(bytes_view evidence) {
  ATLS_TRY(auto read, azure_vtpm_evidence::parse(evidence));
  ATLS_CHECK(check_signer(read));
  ATLS_CHECK(check_certification(read));
  return read;
}

// A guest that is no paravisor could have its hardware vouch for any key.
ear_appraisal appraise_hardware(const azure_vtpm_evidence& read, const cvm_endorsements& known) {
  const auto& evidence = read.hardware_evidence;
  const auto report_data = report_data_for(read.hcl.binder());
  return read.hcl.hardware == azure_hardware::snp
             ? appraise_snp(evidence, report_data, known, known.azure.snp)
             : appraise_tdx(evidence, report_data, known.tdx, known.azure.tdx);
}

// What is wrong with a part is wrong with the whole.
ear_appraisal as_whole(ear_appraisal part, const std::string& name) {
  part.policy_ids = {"policy:" + std::string(scheme)};
  const auto problem = string_member(part.policy_claims, "problem");
  part.policy_claims["problem"] = name + ": " + problem.value_or("not affirmed");
  return part;
}

ear_appraisal appraise_azure(bytes_view evidence, bytes_view nonce, const endorsement_store& known,
                             const pcr_selection& required_pcrs) {
  const auto read = authenticate(evidence);
  if (!read) {
    return verdict::unauthentic(scheme, read.error().text());
  }
  auto hardware = appraise_hardware(*read, known.of_cvms());
  if (hardware.status != trust_tier::affirming) {
    return as_whole(std::move(hardware), "the hardware");
  }
  auto tpm = appraise_parsec_tpm_by(read->ak.spki, read->message.tpm_evidence, nonce, known,
                                    required_pcrs);
  if (tpm.status != trust_tier::affirming) {
    return as_whole(std::move(tpm), "the TPM");
  }
  auto out = verdict::affirming(scheme, {trust_claim::executables, trust_claim::hardware});
  out.attested_key = std::move(tpm.attested_key);
  return out;
}

}  // namespace

std::string_view azure_vtpm_appraiser::media_type() const noexcept {
  return azure_vtpm_scheme::type;
}

verdicts azure_vtpm_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  return {{scheme, appraise_azure(evidence, session_nonce, endorsements(), required_pcrs_)}};
}

}  // namespace atls
