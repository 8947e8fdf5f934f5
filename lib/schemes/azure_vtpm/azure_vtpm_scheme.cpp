#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"

#include "formats/ear.hpp"
#include "schemes/azure_vtpm/attestation_key.hpp"
#include "schemes/azure_vtpm/facts.hpp"
#include "schemes/parsec_tpm/evidence.hpp"
#include "schemes/report_data.hpp"

namespace atls {

const evidence_scheme& azure_vtpm_scheme::scheme_of(azure_hardware hardware) const noexcept {
  return hardware == azure_hardware::snp ? static_cast<const evidence_scheme&>(snp_) : tdx_;
}

// Its facts. What the report is bound to is not a handshake but the vTPM's keys.
result<json> azure_vtpm_scheme::check_hardware(const azure_vtpm_evidence& evidence) const {
  const auto& scheme = scheme_of(evidence.hcl.hardware);
  const auto binder = evidence.hcl.binder();
  ATLS_TRY(const auto facts, scheme.read(evidence.hardware_evidence));
  if (facts.at("report_data") != to_hex(report_data_for(binder))) {
    return failure(errc::azure_runtime_data, "found " + facts.at("report_data").get<std::string>() +
                                                 ", expected " + to_hex(binder) + " and zeros");
  }
  ATLS_TRY(auto checked, scheme.check(evidence.hardware_evidence, {binder, {}}));
  return std::move(checked.facts);
}

result<statement> azure_vtpm_scheme::check(bytes_view evidence,
                                           const evidence_expectations& expected) const {
  ATLS_TRY(const auto read, azure_vtpm_evidence::parse(evidence));
  // What is bound to this handshake.
  ATLS_TRY(auto of_tpm, tpm_.check(read.message.tpm_evidence, expected));
  // Why that TPM is to be believed: from its attestation key up to the hardware.
  ATLS_CHECK(check_signer(read));
  ATLS_CHECK(check_certification(read));
  ATLS_TRY(const auto of_hardware, check_hardware(read));
  return statement{std::string(type), to_bytes(evidence), std::move(of_tpm.instance),
                   facts_of(read.hcl, std::move(of_tpm.facts), of_hardware)};
}

result<void> azure_vtpm_scheme::recheck(const statement& of) const {
  ATLS_CHECK(tpm_.recheck(of));
  return scheme_of(of.facts.contains("snp") ? azure_hardware::snp : azure_hardware::tdx)
      .recheck(of);
}

result<json> azure_vtpm_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto read, azure_vtpm_evidence::parse(evidence));
  ATLS_TRY(auto of_tpm, tpm_.read(read.message.tpm_evidence));
  ATLS_TRY(const auto of_hardware, scheme_of(read.hcl.hardware).read(read.hardware_evidence));
  return facts_of(read.hcl, std::move(of_tpm), of_hardware);
}

result_shape azure_vtpm_scheme::shape() const {
  if (policy_.unsafe_tpm_only) {
    return tpm_.shape();
  }
  return {.submodules = {{submodule, {trust_claim::executables, trust_claim::hardware}}},
          .names_key = true};
}

std::span<const fact> azure_vtpm_scheme::facts() const {
  return azure_vtpm_facts();
}

// Those of the TPM and of the hardware are their schemes'.
std::span<const std::pair<errc, appraisal_step>> azure_vtpm_scheme::reasons() const {
  using enum errc;
  using enum appraisal_step;
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {azure_hardware_mismatch, parse}, {azure_ak_mismatch, platform},
      {azure_tpm_signature, platform},  {azure_ak_signature, platform},
      {azure_ak_magic, platform},       {azure_ak_type, platform},
      {azure_ak_name, platform},        {azure_ak_attributes, platform},
      {azure_runtime_data, platform},
  };
  return all;
}

std::string azure_vtpm_scheme::findings(const statement& of) const {
  return tpm_.findings(of);
}

veraison_evidence azure_vtpm_scheme::for_veraison(const statement& of) const {
  if (!policy_.unsafe_tpm_only) {
    return {of.media_type, of.evidence};
  }
  // Its check() has read the same.
  return {std::string(parsec_tpm_evidence::media_type),
          azure_vtpm_message::decode(of.evidence).value().tpm_evidence};
}

}  // namespace atls
