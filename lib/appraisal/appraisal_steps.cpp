#include "appraisal/appraisal_steps.hpp"

namespace atls {

std::optional<std::size_t> step_of(errc reason) noexcept {
  using enum errc;
  switch (reason) {
    case cmw_malformed:
    case evidence_type_unexpected:
    case evidence_malformed:
    case kid_malformed:
    case signature_unsupported:
      return 0;
    case kat_nonce_mismatch:
    case pat_nonce_mismatch:
      return 1;
    case kat_magic:
    case kat_type:
    case kat_name_mismatch:
    case kat_key_unsupported:
    case kat_key_mismatch:
    case kat_key_attributes:
      return 2;
    case pat_magic:
    case pat_type:
    case pat_selection:
    case pat_bank:
    case pat_pcrs_missing:
    case kid_mismatch:
    case kid_not_allowed:
    case signer_mismatch:
      return 3;
    case verifier_unavailable:
    case verifier_timeout:
    case verifier_overloaded:
    case verifier_protocol:
    case verifier_rejected:
    case verifier_nonce:
    case verifier_evidence_type:
      return 4;
    case ear_malformed:
    case ear_algorithm:
    case ear_signature:
    case ear_profile:
    case ear_from_future:
    case ear_stale:
    case ear_not_yet_valid:
    case ear_expired:
    case ear_nonce:
    case ear_submodule:
    case ear_not_affirming:
    case ear_contradiction:
    case ear_key_mismatch:
    case ear_verifier_id:
    case ear_policy_id:
      return 5;
    case policy_vector:
    case policy_denied:
    case policy_requirement:
    case policy_not_allowed:
      return 6;
    default:
      return std::nullopt;
  }
}

}  // namespace atls
