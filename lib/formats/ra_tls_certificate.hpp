// Evidence in an extension of an X.509 certificate (RA-TLS), and what binds it to the certificate's
// key. The quote's report data begins with a SHA-256; the rest of it is zero.
//
//   extension                                     value                        SHA-256 of
//   2.23.133.5.4.9                                60000([quote, claims])       claims, with a hash
//                                                                              of the key
//   1.2.840.113741.1337.6                         quote                        key (DER)
//   1.3.6.1.4.1.311.105.1, 1.2.840.113556.10.1.1  report header, quote         key (DER, or PEM
//                                                                              with its NUL)
//
// The first is CCC's "Interoperable RA-TLS" (a DICE "tagged evidence"), the second Gramine's, which
// writes tag and length of the identifier's encoding before it (0.6.9.42.840.113741.1337.6); the
// others are Open Enclave's, with the key in PEM, and EGo's, with the key in DER.
#pragma once

#include "core/openssl.hpp"

#include <optional>

namespace atls {

struct ra_tls_evidence {
  static constexpr std::size_t longest_bytes = 64 * 1024;

  /// As its hardware signed it; nobody has read it.
  bytes quote;
  /// What the quote's report data may begin with, each 32 bytes.
  std::vector<bytes> bindings;
};

/// What the certificate's extension holds, of several the one that stands first above; nullopt
/// without one. `spki` is its key in DER. evidence_malformed: another structure, or the extension
/// twice; certificate_key_mismatch: the claims are about another key.
result<std::optional<ra_tls_evidence>> read_ra_tls_evidence(const X509* certificate,
                                                            bytes_view spki);

}  // namespace atls
