// Appraisal of PARSEC_TPM Evidence against endorsements: Veraison's scheme, stricter where Veraison
// is lax. Pure: no I/O, no clock.
#pragma once

#include "reference_verifier/endorsed_appraiser.hpp"

namespace atls {

/// Unlike Veraison: both nonces must equal the session's, the quote must cover the required PCRs,
/// and a PCR mismatch is contraindicated rather than none. Bad Evidence is no error but a verdict:
/// the reason stands in the appraisal's policy claim "problem".
ear_appraisal appraise_parsec_tpm(bytes_view evidence, bytes_view session_nonce,
                                  const endorsement_store& endorsements,
                                  const pcr_selection& required_pcrs);

/// The same where other Evidence vouches for the attestation key (DER SubjectPublicKeyInfo): it
/// needs no trust anchor, and the reference values of any class will do.
ear_appraisal appraise_parsec_tpm_by(bytes_view ak_spki, bytes_view evidence,
                                     bytes_view session_nonce,
                                     const endorsement_store& endorsements,
                                     const pcr_selection& required_pcrs);

class parsec_tpm_appraiser final : public endorsed_appraiser {
 public:
  parsec_tpm_appraiser(std::shared_ptr<const endorsement_store> endorsements,
                       const pcr_selection& required_pcrs)
      : endorsed_appraiser(std::move(endorsements)), required_pcrs_(required_pcrs) {}

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;

 private:
  const pcr_selection required_pcrs_;
};

}  // namespace atls
