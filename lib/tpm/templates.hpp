// What keys are made like. TPM2B_PUBLIC as TPM2_CreatePrimary and TPM2_Create take it.
#pragma once

#include "tpm/device.hpp"

#include <tss2/tss2_tpm2_types.h>

namespace atls::tpm {

/// The storage root key of the TCG's provisioning guidance: ECC P-256, AES-128-CFB.
TPM2B_PUBLIC storage_template();

/// An attestation key is used in an HMAC session, a TLS key in a policy session of
/// TPM2_PolicyAuthValue; each with the authorisation that it is made with.
TPM2B_PUBLIC key_template(key_purpose purpose, curve c, tpm_hash hash);

}  // namespace atls::tpm
