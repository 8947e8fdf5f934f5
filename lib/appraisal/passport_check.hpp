// Passports: Attestation Results that their subject presents itself (RFC 9334 section 5.1), in a
// CMW. Pure: no I/O, no Verifier.
#pragma once

#include "appraisal/ear_check.hpp"
#include "schemes/table.hpp"

namespace atls {

/// The CMW of a JWT, or of a CWT in base64url: a CBOR record of type "application/eat+jwt" or
/// "application/eat+cwt" (RFC 9782) with the profile as its parameter, for Attestation Results.
bytes encode_passport(std::string_view token, std::string_view profile);

/// The token in a CMW record, in CBOR or JSON: a JWT, or a CWT in base64url. Not verified.
///
/// Types: application/eat+jwt, the EAR draft's application/eat-jwt, application/eat+cwt, with any
/// parameters; content-formats 264 (JWT) and 263 (CWT). The profile that a parameter names is
/// nobody's word and is not read: the token has its own. evidence_type_unexpected for another type;
/// cmw_malformed for anything else that is no such record, or an indicator without Attestation
/// Results.
result<std::string> read_passport(bytes_view cmw);

/// The nonce of a passport whose result names no key: SHA-512 of the canonical JSON (RFC 8785) of
/// {"tee-pubkey": JWK of the leaf key}. The Evidence is bound to it, and the Verifier repeats it.
/// certificate_invalid for a key that has no JWK.
result<bytes> nonce_naming(bytes_view leaf_spki);

struct passport_expectations {
  /// The configured keys of the Verifier that was agreed upon.
  const jws_keys& keys;
  /// DER SubjectPublicKeyInfo of the peer's leaf certificate.
  bytes_view leaf_spki;
  /// Of this handshake; compared where the passport must be fresh.
  bytes_view binder;
  /// The attester must have had it issued within this handshake. Otherwise its nonce is of the
  /// attester's session with its Verifier, and proves nothing here unless it names the key.
  bool is_fresh = false;
  /// For how long one may be used after it was issued (appraisal validity period).
  std::chrono::seconds max_age{600};
  /// The Evidence types that this tunnel takes: a result that names its TEE must be about one.
  const evidence_schemes& schemes;
  /// Its own max_age is for results that were asked for, and does not count.
  const result_policy& results;
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

/// In this order: CMW and type, signature, profile, times, nonce (if fresh, or where it names the
/// key), submodules, status, key, trust vector, origin, TEE. Submodules are those of a scheme that
/// this tunnel takes, whose shape is demanded then, or one of another name; of a TEE (Trustee) its
/// scheme's entries are demanded. ear_evidence for another TEE; passport_expired where it is too
/// old or has expired; otherwise the reasons of read_passport() and check_ear().
result<verified_ear> check_passport(bytes_view cmw, const passport_expectations& expected);

}  // namespace atls
