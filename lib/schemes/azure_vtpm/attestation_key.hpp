// From the keys that the hardware vouches for to the one that signed the TPM's statements.
#pragma once

#include "schemes/azure_vtpm/evidence.hpp"

namespace atls {

/// The vTPM's own key certified an attestation key, which stays in the TPM and signs nothing but
/// what the TPM made: azure_ak_signature, azure_ak_magic, azure_ak_type, azure_ak_name,
/// azure_ak_attributes.
result<void> check_certification(const azure_vtpm_evidence& evidence);

/// That key signed the PARSEC_TPM Evidence: azure_ak_mismatch, azure_tpm_signature. What else is
/// wrong with that Evidence is its own scheme's matter.
result<void> check_signer(const azure_vtpm_evidence& evidence);

}  // namespace atls
