// The nonce of a new session.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace atls {

/// As the query of newSession asks for it: "nonce" (base64url, padded or not, of 8 to 64 bytes),
/// "nonceSize" (8 to 64 random bytes), or neither (32). verifier_protocol, with the detail that
/// Veraison answers.
result<bytes> session_nonce(std::string_view query);

}  // namespace atls
