// Chains of certificates that Evidence brings with it, up to roots that the Verifier has.
#pragma once

#include "core/openssl.hpp"

#include <openssl/x509_vfy.h>

namespace atls {

using crl_ptr = std::unique_ptr<X509_CRL, openssl_deleter<X509_CRL_free>>;

/// In DER or PEM; null if it is not one.
crl_ptr crl_from(bytes_view content);

/// What chains must lead to. Evidence and collateral bring their whole chains with them: of a root
/// in there its digest is enough.
struct trusted_roots {
  std::vector<x509_ptr> certificates;
  /// SHA-256 of certificates in DER, in lower-case hexadecimal.
  std::vector<std::string_view> fingerprints;
};

/// Whether the chain leads to one of the roots. `between` are certificates that nobody vouches for
/// but the chain; if there are revocation lists, each authority of the chain must have a current
/// one. pki_untrusted, pki_expired or pki_revoked, in OpenSSL's words.
result<void> check_chain(X509* leaf, const std::vector<x509_ptr>& between,
                         const trusted_roots& roots, const std::vector<crl_ptr>& revoked);

}  // namespace atls
