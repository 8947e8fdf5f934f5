// The binder: what Evidence must contain so that it belongs to this handshake and no other
// (draft-fossati-seat-early-attestation-08). Both sides compute it; nobody sends it.
//
//   attest_base = HKDF-Expand-Label(0^L, "attestation base",
//                                   Transcript-Hash(ClientHello..ServerHello), L)
//   binder      = HKDF-Expand-Label(attest_base, "attestation", Hash(SPKI of the leaf key), L)
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <openssl/evp.h>

namespace atls::tls {

/// The hello messages of one handshake as they crossed the wire.
class hello_transcript {
 public:
  /// A whole handshake message with its 4-byte header; others than hellos are ignored.
  void add(bytes_view message);

  /// Hash of ClientHello..ServerHello; after a HelloRetryRequest it starts with the synthetic
  /// message_hash (RFC 8446 section 4.4.1). `internal` if the hellos are not complete.
  result<bytes> hash(const EVP_MD* md) const;

 private:
  std::vector<bytes> messages_;
};

/// `spki`: DER SubjectPublicKeyInfo of the attester's leaf key. As long as the hash.
result<bytes> compute_binder(const hello_transcript& hellos, const EVP_MD* md, bytes_view spki);

}  // namespace atls::tls
