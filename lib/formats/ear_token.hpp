// An Attestation Result as it travels: a JWT, or a CWT. The one reader of both.
#pragma once

#include "formats/ear.hpp"
#include "formats/jose.hpp"

namespace atls {

/// Of a JWT, or a CWT in base64url, as a Verifier's JSON carries it: the claims, if this key signed
/// them. ear_malformed, ear_algorithm, ear_signature.
result<ear> read_verified_ear(std::string_view token, const jws_key& key);

/// For inspection only: nothing is verified.
struct unverified_ear {
  ear claims;
  /// Of a JWT; null otherwise.
  json header;
};

/// Of a JWT, a CWT (binary or in base64url), or the bare claims (JSON or CBOR).
result<unverified_ear> read_unverified_ear(bytes_view content);
/// Whether one of the keys signed a JWT or CWT as read_unverified_ear() takes it.
bool is_signed_by(bytes_view content, const jws_keys& keys);

}  // namespace atls
