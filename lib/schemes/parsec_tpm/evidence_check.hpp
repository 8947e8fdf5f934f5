// What a Relying Party can check in Evidence without a Verifier. Pure: no I/O, no clock.
#pragma once

#include "formats/tpm_structures.hpp"

namespace atls {

/// What the Evidence must show for this handshake.
struct evidence_expectations {
  /// The type that was negotiated.
  std::string_view media_type;
  /// What both statements must carry as extraData.
  bytes_view binder;
  /// DER SubjectPublicKeyInfo of the peer's leaf certificate.
  bytes_view leaf_spki;
  /// PCRs that the quote must cover at least, in this bank; 16 and 23 never count.
  pcr_selection required_pcrs;
  /// Empty: any attestation key that the Verifier knows.
  const std::vector<bytes>& allowed_kids;
};

/// Evidence that passed every local check. Its signatures are still the Verifier's to judge.
struct checked_evidence {
  std::string media_type;
  /// The Evidence without its CMW.
  bytes evidence;
  bytes kid;
  pcr_selection pcrs;
  bytes pcr_digest;
  std::uint64_t firmware_version = 0;
};

/// Steps 1 to 4 of the appraisal (ARCHITECTURE.md): parse, binder, key statement, platform
/// statement. Each failing check has its own reason.
result<checked_evidence> check_evidence(bytes_view cmw, const evidence_expectations& expected);

/// kid_not_allowed; an empty list allows all.
result<void> check_kid(const bytes& kid, const std::vector<bytes>& allowed);
/// pat_bank or pat_pcrs_missing.
result<void> check_pcrs(const pcr_selection& quoted, const pcr_selection& required);

}  // namespace atls
