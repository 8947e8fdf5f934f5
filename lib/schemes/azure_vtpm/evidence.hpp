// Evidence of an Azure confidential VM, as it stands on the wire: a collection of conceptual
// messages (draft-ietf-rats-msg-wrap section 3.2) in CBOR.
//
//   {"parsec-tpm": [type, PARSEC_TPM Evidence],
//    "hcl": ["application/vnd.atlsd.azure-hcl-report", what stands in NV index 0x01400001],
//    "vek": ["application/pem-certificate-chain", VCEK, ASK and ARK]
//         / ["application/vnd.atlsd.tdx-quote", the TD's quote],
//    "ak": ["application/vnd.atlsd.tpm-certify+cbor",
//           {"certInfo": TPMS_ATTEST, "sig": TPMT_SIGNATURE, "pubArea": TPMT_PUBLIC}]}
//
// The first is complete Evidence of its own type. The last is TPM2_Certify of the attestation key
// that signed the first, by the vTPM's own key, which the second names.
#pragma once

#include "formats/tpm_structures.hpp"
#include "schemes/azure_vtpm/hcl_report.hpp"

namespace atls {

/// TPM2_Certify of our attestation key.
struct ak_certification {
  bytes cert_info;    // TPMS_ATTEST
  bytes signature;    // TPMT_SIGNATURE
  bytes public_area;  // TPMT_PUBLIC of the certified key
};

/// The parts, as they are.
struct azure_vtpm_message {
  static constexpr std::size_t longest_bytes = 64 * 1024;

  bytes tpm_evidence;
  bytes hcl;
  azure_hardware hardware = azure_hardware::snp;
  /// What endorses the hardware's report: SNP, certificates in PEM; TDX, the quote.
  bytes endorsement;
  ak_certification ak;

  /// evidence_malformed: another member or type, or one that is absent.
  static result<azure_vtpm_message> decode(bytes_view input);
  bytes encode() const;
};

/// The parts, read.
struct azure_vtpm_evidence {
  azure_vtpm_message message;
  hcl_report hcl;
  /// The hardware's report and what endorses it, as configfs-tsm would give them: Evidence of that
  /// hardware's own type.
  bytes hardware_evidence;
  tpm_attest certification;
  /// RSASSA with SHA-256.
  bytes certification_signature;
  ecc_public ak;

  /// evidence_malformed; azure_hardware_mismatch if "vek" is of other hardware than "hcl";
  /// signature_unsupported. What is in "parsec-tpm" is not looked at.
  static result<azure_vtpm_evidence> parse(bytes_view input);
};

}  // namespace atls
