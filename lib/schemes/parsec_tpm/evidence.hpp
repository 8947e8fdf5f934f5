// PARSEC_TPM Evidence: a key and a platform statement by one TPM attestation key.
//
// evidence = { "kat": {tpmVer, kid, sig, pubArea, certInfo}, "pat": {tpmVer, kid, sig, attestInfo}
// }
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "formats/json.hpp"

namespace atls {

struct parsec_tpm_evidence {
  static constexpr std::string_view media_type =
      "application/vnd.parallaxsecond.key-attestation.tpm";
  static constexpr std::string_view scheme = "PARSEC_TPM";

  /// TPM2_Certify of the TLS Identity Key.
  struct {
    std::string tpm_version;
    bytes kid;
    bytes signature;    // TPMT_SIGNATURE over cert_info
    bytes public_area;  // TPMT_PUBLIC
    bytes cert_info;    // TPMS_ATTEST
  } kat;
  /// TPM2_Quote.
  struct {
    std::string tpm_version;
    bytes kid;
    bytes signature;    // TPMT_SIGNATURE over attest_info
    bytes attest_info;  // TPMS_ATTEST
  } pat;

  /// Checks shape and sizes only: both maps, every member, kid a UEID (RFC 9711 section 4.2.1).
  /// The kids need not be equal and nothing inside the byte strings is looked at.
  static result<parsec_tpm_evidence> decode(bytes_view cbor);
  static result<parsec_tpm_evidence> from_json(const json& value);

  bytes encode() const;
  json to_json() const;
};

/// Our rule for an AK's key identifier: UEID type 01 and SHA-256 of its SubjectPublicKeyInfo.
bytes kid_of(bytes_view ak_spki);

}  // namespace atls
