// JWK and compact JWS (RFC 7515, 7517, 7518, 8037), as far as signed Attestation Results need.
#pragma once

#include "core/openssl.hpp"
#include "formats/json.hpp"

namespace atls {

/// A key with the one algorithm it is used with: ES256, ES384, ES512, EdDSA (Ed25519) or PS256.
struct jws_key {
  std::string algorithm;
  pkey_ptr key;
};

using jws_keys = std::vector<std::shared_ptr<const jws_key>>;

/// A public or private JWK. "alg" may be absent; if present it must fit the key.
/// certificate_invalid otherwise.
result<jws_key> parse_jwk(const json& jwk);

/// What a file of public keys holds: a JWK, a JWK Set (RFC 7517 section 5), or PEM blocks. At least
/// one, and all of them usable.
result<jws_keys> parse_public_keys(std::string_view text);

/// Public part only, with "alg".
json to_jwk(const jws_key& key);

/// The algorithm that goes with a key; certificate_invalid if there is none.
result<std::string> algorithm_for(EVP_PKEY* key);

/// A signature as JOSE and COSE write it (ECDSA: r and s, each as long as the curve's order).
bool verify_signature(const jws_key& key, bytes_view message, bytes_view signature);

/// The other way. Throws on OpenSSL failure.
bytes sign(const jws_key& key, bytes_view message);

/// The payload of a compact JWS. The key and algorithm are the caller's; what the header says of
/// keys proves nothing and is not read. `alg` other than the key's: ear_algorithm.
result<std::string> verify_jws(std::string_view token, const jws_key& key);

/// Header {"alg","typ":"JWT"}. Throws on OpenSSL failure.
std::string sign_jws(std::string_view payload, const jws_key& key);

}  // namespace atls
