#include "schemes/azure_vtpm/attestation_key.hpp"

#include "schemes/parsec_tpm/signatures.hpp"

namespace atls {
namespace {

bool is_signed(const azure_vtpm_evidence& evidence) {
  const auto& [message, signature] =
      std::tie(evidence.message.ak.cert_info, evidence.certification_signature);
  const md_ctx_ptr context(EVP_MD_CTX_new());
  // PKCS #1 v1.5 is what a digest and an RSA key give by themselves.
  const bool out = EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr,
                                           evidence.hcl.ak.get(), nullptr) == 1 &&
                   EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                    message.data(), message.size()) == 1;
  (void)openssl_errors();
  return out;
}

}  // namespace

result<void> check_certification(const azure_vtpm_evidence& evidence) {
  const auto& statement = evidence.certification;
  const auto& ak = evidence.ak;
  if (!is_signed(evidence)) {
    return failure(errc::azure_ak_signature);
  }
  if (statement.magic != tpm_attest::generated_by_tpm) {
    return failure(errc::azure_ak_magic);
  }
  const auto* const certified = std::get_if<tpm_attest::certify>(&statement.attested);
  if (certified == nullptr) {
    return failure(errc::azure_ak_type);
  }
  ATLS_TRY(const auto name,
           name_of_public(evidence.message.ak.public_area, ak.name_algorithm, errc::azure_ak_name));
  if (certified->name != name) {
    return failure(errc::azure_ak_name,
                   "certified " + to_hex(certified->name) + ", computed " + to_hex(name));
  }
  constexpr auto wanted = tpm_attribute::fixed_tpm | tpm_attribute::fixed_parent |
                          tpm_attribute::sensitive_data_origin | tpm_attribute::restricted |
                          tpm_attribute::sign;
  if ((ak.attributes & wanted) != wanted || (ak.attributes & tpm_attribute::decrypt) != 0) {
    return failure(errc::azure_ak_attributes,
                   "expected fixedTPM, fixedParent, sensitiveDataOrigin, restricted and sign, not "
                   "decrypt");
  }
  return {};
}

result<void> check_signer(const azure_vtpm_evidence& evidence) {
  ATLS_TRY(const auto statements, parsec_tpm_evidence::decode(evidence.message.tpm_evidence));
  const auto kid = kid_of(evidence.ak.spki);
  if (statements.kat.kid != kid || statements.pat.kid != kid) {
    return failure(errc::azure_ak_mismatch,
                   "found " + to_hex(statements.kat.kid) + ", certified " + to_hex(kid));
  }
  ATLS_TRY(const auto ak, key_from_spki(evidence.ak.spki));
  if (!are_signed_by(statements, ak.get())) {
    return failure(errc::azure_tpm_signature);
  }
  return {};
}

}  // namespace atls
