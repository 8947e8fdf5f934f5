// The signatures of PARSEC_TPM Evidence, for whoever knows the attestation key.
#pragma once

#include "core/openssl.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

namespace atls {

/// Whether this key signed both statements.
bool are_signed_by(const parsec_tpm_evidence& evidence, EVP_PKEY* ak);

}  // namespace atls
