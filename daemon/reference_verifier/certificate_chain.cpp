#include "reference_verifier/certificate_chain.hpp"

#include "core/certificates.hpp"

#include <algorithm>

#include <openssl/pem.h>

namespace atls {
namespace {

using store_ptr = std::unique_ptr<X509_STORE, openssl_deleter<X509_STORE_free>>;
using verification_ptr = std::unique_ptr<X509_STORE_CTX, openssl_deleter<X509_STORE_CTX_free>>;
void free_stack(STACK_OF(X509) * stack) noexcept {
  sk_X509_free(stack);  // and not what is in it
}
using stack_ptr = std::unique_ptr<STACK_OF(X509), openssl_deleter<free_stack>>;

errc reason_for(int verify_error) {
  return verify_error == X509_V_ERR_CERT_REVOKED       ? errc::pki_revoked
         : verify_error == X509_V_ERR_CERT_HAS_EXPIRED ? errc::pki_expired
                                                       : errc::pki_untrusted;
}

store_ptr store_of(const std::vector<x509_ptr>& chain, const trusted_roots& roots,
                   const std::vector<crl_ptr>& revoked) {
  store_ptr out(X509_STORE_new());
  for (const auto& one : roots.certificates) {
    X509_STORE_add_cert(out.get(), one.get());
  }
  for (const auto& one : chain) {
    const auto fingerprint = to_hex(digest("SHA256", der_of(one.get())));
    if (std::ranges::find(roots.fingerprints, fingerprint) != roots.fingerprints.end()) {
      X509_STORE_add_cert(out.get(), one.get());
    }
  }
  for (const auto& one : revoked) {
    X509_STORE_add_crl(out.get(), one.get());
  }
  if (!revoked.empty()) {
    X509_STORE_set_flags(out.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  return out;
}

}  // namespace

crl_ptr crl_from(bytes_view content) {
  if (as_text(content).starts_with("-----")) {
    const bio_ptr in(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
    return crl_ptr(PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
  }
  const auto* at = content.data();
  return crl_ptr(d2i_X509_CRL(nullptr, &at, static_cast<long>(content.size())));
}

result<void> check_chain(X509* leaf, const std::vector<x509_ptr>& between,
                         const trusted_roots& roots, const std::vector<crl_ptr>& revoked) {
  const auto store = store_of(between, roots, revoked);
  const stack_ptr untrusted(sk_X509_new_null());
  for (const auto& one : between) {
    sk_X509_push(untrusted.get(), one.get());
  }
  const verification_ptr verification(X509_STORE_CTX_new());
  if (!verification ||
      X509_STORE_CTX_init(verification.get(), store.get(), leaf, untrusted.get()) != 1) {
    return failure(errc::internal, openssl_errors());
  }
  const bool is_trusted = X509_verify_cert(verification.get()) == 1;
  (void)openssl_errors();
  if (is_trusted) {
    return {};
  }
  const int why = X509_STORE_CTX_get_error(verification.get());
  return failure(reason_for(why), X509_verify_cert_error_string(why));
}

}  // namespace atls
