// Evidence, Attestation Results and endorsements as JSON that people read. Nothing is verified.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "formats/json.hpp"

namespace atls {

/// What a file holds: Evidence, a CMW (its members described in turn), an Attestation Result (JWT,
/// CWT or claims), a CoRIM, signed or not, a session of a Verifier. {"kind": ..., ...}. The failure
/// says what was tried.
result<json> describe_document(bytes_view content);

/// An Attestation Result; with its header if it is a JWT.
result<json> describe_result(bytes_view content);

/// The facts of Evidence, in its CMW or without.
result<json> describe_evidence(bytes_view content);

/// The facts of the Evidence that a certificate carries (PEM or DER). certificate_invalid,
/// peer_not_attested; evidence_malformed, certificate_key_mismatch.
result<json> describe_certificate(bytes_view content);

}  // namespace atls
