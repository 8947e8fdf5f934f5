// COSE_Sign1 (RFC 9052 section 4.2), as far as CWTs and signed CoRIMs need.
#pragma once

#include "formats/cbor.hpp"
#include "formats/jose.hpp"

namespace atls {

struct cose_sign1 {
  /// The encoded protected header, and what it says.
  bytes protected_bytes;
  cbor::item header;
  bytes payload;
  bytes signature;

  /// Algorithm identifier (RFC 9053) of the protected header.
  std::optional<std::int64_t> algorithm() const;
};

/// Tagged (18) or, inside a CWT tag (61), either. `error` is the code of a failure. NOT verified.
result<cose_sign1> parse_cose_sign1(bytes_view input, errc error);

/// The payload of a CWT (RFC 8392) that this key signed. ear_malformed, ear_algorithm or
/// ear_signature, as verify_jws().
result<bytes> verify_cwt(bytes_view token, const jws_key& key);

}  // namespace atls
