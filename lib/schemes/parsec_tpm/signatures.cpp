#include "schemes/parsec_tpm/signatures.hpp"

#include "formats/tpm_structures.hpp"

namespace atls {
namespace {

bool is_signed_by(bytes_view statement, bytes_view encoded_signature, EVP_PKEY* ak) {
  const auto signature = parse_tpm_signature(encoded_signature);
  if (!signature) {
    return false;
  }
  // Of hashes that name_of() knows.
  const auto* const hash = name_of(signature->hash).value().data();
  const auto der = signature->der();
  const md_ctx_ptr context(EVP_MD_CTX_new());
  const bool out =
      EVP_DigestVerifyInit_ex(context.get(), nullptr, hash, nullptr, nullptr, ak, nullptr) == 1 &&
      EVP_DigestVerify(context.get(), der.data(), der.size(), statement.data(), statement.size()) ==
          1;
  (void)openssl_errors();
  return out;
}

}  // namespace

bool are_signed_by(const parsec_tpm_evidence& evidence, EVP_PKEY* ak) {
  const auto& [kat, pat] = evidence;
  return is_signed_by(kat.cert_info, kat.signature, ak) &&
         is_signed_by(pat.attest_info, pat.signature, ak);
}

}  // namespace atls
