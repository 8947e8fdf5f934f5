// The bodies of the extension remoteAttestation (draft-fossati-seat-early-attestation-08). Pure.
//
//   ClientHello                AttestationScheme server_attester<0..2^16-1>,
//   client_attester<0..2^16-1> EncryptedExtensions        AttestationScheme: what the server will
//   present CertificateRequest         AttestationScheme: what the client is to present first
//   CertificateEntry     opaque cmw_payload<1..2^24-1>
#pragma once

#include "attestation/scheme.hpp"

namespace atls::tls {

/// No code has been assigned. This one is for private use (RFC 8446 section 11).
constexpr std::uint16_t default_extension_code = 0xff15;

/// What a client names in its hello, best first.
struct offered_schemes {
  /// What it can have appraised, or accepts: the server is to choose what to present.
  attestation_schemes server_attester;
  /// What it can present.
  attestation_schemes client_attester;
};

bytes encode_offer(const offered_schemes& offer);
result<offered_schemes> parse_offer(bytes_view body);

result<attestation_scheme> parse_choice(bytes_view body);

/// A CMW of at most 65528 bytes: extensions have no room for the rest of what its length can say.
result<bytes> encode_payload(bytes_view cmw);
result<bytes> parse_payload(bytes_view body);

}  // namespace atls::tls
