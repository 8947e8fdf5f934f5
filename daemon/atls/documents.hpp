// Evidence, Attestation Results and endorsements as JSON that people read.
#pragma once

#include "core/bytes.hpp"
#include "formats/cmw.hpp"
#include "formats/ear.hpp"
#include "formats/jose.hpp"

namespace atls {

/// What a file holds: PARSEC_TPM Evidence, a CMW (its members described in turn), an Attestation
/// Result (JWT or claims), a CoRIM, signed or not, a session of a Verifier. {"kind": ..., ...}.
/// The failure says what was tried.
result<json> describe_document(bytes_view content);

/// An Attestation Result with its header. Nothing is verified.
result<json> describe_token(std::string_view token);

/// The claims of an Attestation Result: JWT, CWT, or JSON or CBOR claims.
result<ear> parse_unverified_result(bytes_view content);

/// The Evidence inside a CMW record, or what is no CMW as it is.
bytes unwrap_evidence(bytes_view content);

}  // namespace atls
