#include "tls/peer_judgement.hpp"

#include "core/certificates.hpp"
#include "tls/certificates.hpp"

#include <algorithm>

namespace atls::tls {
namespace {

errc reason_for(int verify_error) {
  switch (verify_error) {
    case X509_V_ERR_CERT_REVOKED:
      return errc::pki_revoked;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return errc::pki_expired;
    default:
      return errc::pki_untrusted;
  }
}

std::string name_of(const X509_NAME* name) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  const char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

// Why X509_verify_cert() refused, and of which certificate.
failure chain_failure(X509_STORE_CTX* store) {
  const int why = X509_STORE_CTX_get_error(store);
  std::string detail = X509_verify_cert_error_string(why);
  if (const X509* of = X509_STORE_CTX_get_current_cert(store)) {
    detail += ": " + name_of(X509_get_subject_name(of)) + ", issued by " +
              name_of(X509_get_issuer_name(of));
  }
  return {reason_for(why), detail};
}

void note_chain(const STACK_OF(X509) * chain, judged_peer& to) {
  const int anchor = sk_X509_num(chain) - 1;
  for (int i = 0; i <= anchor; ++i) {
    const X509* one = sk_X509_value(chain, i);
    to.expires = std::min(to.expires, to_time(X509_get0_notAfter(one)));
    if (i == 0 || i < anchor) {
      to.chain.push_back(der_of(one));
    }
  }
  to.anchor = fingerprint_of(sk_X509_value(chain, anchor));
}

}  // namespace

// (Asked of the certificate, which has it encoded; encoding a key takes libcrypto 0.2 ms.)
result<void> check_not_reflected(const settings& s, bytes_view leaf_spki) {
  if (s.chain.empty()) {
    return {};
  }
  ATLS_TRY(const bytes own, spki_of(s.chain.front().get()));
  return equal(own, leaf_spki) ? result<void>(failure(errc::reflected_key)) : result<void>();
}

result<void> judge_chain(const settings& s, X509_STORE_CTX* store, judged_peer& to) {
  if (s.ca_file.empty()) {
    // Attestation alone: the certificate is but an envelope for the attested key.
    return s.appraiser || s.unsafe_unauthenticated
               ? result<void>()
               : failure(errc::pki_untrusted, "neither trust anchors nor attestation");
  }
  if (X509_verify_cert(store) != 1) {
    return chain_failure(store);
  }
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  ATLS_TRY(to.name, name_of_certificate(leaf, s.names));
  note_chain(X509_STORE_CTX_get0_chain(store), to);
  return {};
}

}  // namespace atls::tls
