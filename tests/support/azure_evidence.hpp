// Evidence of an Azure confidential VM, made with the published keys of tests/vectors so that every
// part of it can be wrong.
#pragma once

#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"
#include "schemes/azure_vtpm/evidence.hpp"
#include "support/software_tpm.hpp"

#include <functional>

namespace atls::test {

/// {"keys": [HCLAkPub], "vm-configuration": {...}, "user-data"} about this RSA key.
json azure_runtime_data(EVP_PKEY* vtpm_ak);

/// What stands in NV index 0x01400001; it is longer than what stands in it.
bytes encode_hcl(azure_hardware hardware, bytes_view hardware_report, bytes_view runtime_data);

/// TPMT_SIGNATURE, RSASSA with SHA-256.
bytes sign_rsassa(EVP_PKEY* key, bytes_view message);

/// Everything of one piece of Evidence before it is signed and encoded.
struct azure_evidence_maker {
  explicit azure_evidence_maker(azure_hardware of = azure_hardware::snp);

  azure_hardware hardware;
  /// The statements about the TLS key and the PCRs.
  evidence_maker tpm;
  /// The vTPM's own key, and who signs in its place (null: it does).
  pkey_ptr vtpm_ak;
  pkey_ptr certifier;
  json runtime_data;
  /// Empty: what the runtime data demand.
  bytes report_data;
  std::function<void(bytes&)> change_hardware = [](bytes&) {};
  std::function<void(bytes&)> change_hcl = [](bytes&) {};
  std::function<void(azure_vtpm_message&)> change = [](azure_vtpm_message&) {};
  /// SNP, in PEM.
  std::string certificates;
  std::uint32_t ak_attributes = 0x00050472;  // as tpm::device makes the AK
  attest_fields certification;

  /// After changes to tpm.ak or ak_attributes: what the certification follows from.
  void derive();
  bytes make() const;
};

/// With these policies and nothing else demanded.
azure_vtpm_scheme azure_scheme(const azure_vtpm_policy& policy = {}, const sev_snp_policy& snp = {},
                               const tdx_policy& tdx = {});

}  // namespace atls::test
