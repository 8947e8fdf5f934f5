#include "tpm/templates.hpp"

#include <algorithm>

namespace atls::tpm {
namespace {

// No dictionary-attack protection: the authorisation is a random number of 256 bits, and a lockout
// would be an outage that anybody could cause.
constexpr TPMA_OBJECT fixed_key = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                  TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_NODA;

}  // namespace

TPM2B_PUBLIC storage_template() {
  TPM2B_PUBLIC out{};
  auto& area = out.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes =
      fixed_key | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
  auto& ecc = area.parameters.eccDetail;
  ecc.symmetric.algorithm = TPM2_ALG_AES;
  ecc.symmetric.keyBits.aes = 128;
  ecc.symmetric.mode.aes = TPM2_ALG_CFB;
  ecc.scheme.scheme = TPM2_ALG_NULL;
  ecc.curveID = TPM2_ECC_NIST_P256;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  return out;
}

TPM2B_PUBLIC key_template(key_purpose purpose, curve c, tpm_hash hash) {
  TPM2B_PUBLIC out{};
  auto& area = out.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = fixed_key | TPMA_OBJECT_SIGN_ENCRYPT;
  auto& ecc = area.parameters.eccDetail;
  ecc.symmetric.algorithm = TPM2_ALG_NULL;
  ecc.scheme.scheme = TPM2_ALG_NULL;
  if (purpose == key_purpose::attestation) {
    area.objectAttributes |= TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED;
    ecc.scheme.scheme = TPM2_ALG_ECDSA;
    ecc.scheme.details.ecdsa.hashAlg = static_cast<TPMI_ALG_HASH>(hash);
  } else {
    // Its public area is part of Evidence and shows how it is authorised.
    area.authPolicy.size = static_cast<UINT16>(auth_value_policy.size());
    std::ranges::copy(auth_value_policy, area.authPolicy.buffer);
  }
  ecc.curveID = c == curve::p256 ? TPM2_ECC_NIST_P256 : TPM2_ECC_NIST_P384;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  return out;
}

}  // namespace atls::tpm
