// Appraisal of PARSEC_TPM Evidence against endorsements: Veraison's scheme, stricter where Veraison
// is lax. Pure: no I/O, no clock.
#pragma once

#include "formats/ear.hpp"
#include "reference_verifier/endorsement_store.hpp"

namespace atls {

/// Unlike Veraison: both nonces must equal the session's, the quote must cover the required PCRs,
/// and a PCR mismatch is contraindicated rather than none. Bad Evidence is no error but a verdict:
/// the reason stands in the appraisal's policy claim "problem".
ear_appraisal appraise_parsec_tpm(bytes_view evidence, bytes_view session_nonce,
                                  const endorsement_store& endorsements,
                                  const pcr_selection& required_pcrs);

}  // namespace atls
