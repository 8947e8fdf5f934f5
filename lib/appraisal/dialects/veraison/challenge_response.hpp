// Veraison's challenge-response API (version 1): media types and the session document. No I/O.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "formats/http_message.hpp"
#include "formats/jose.hpp"

#include <chrono>

namespace atls::challenge_response {

inline constexpr std::string_view session_type =
    "application/vnd.veraison.challenge-response-session+json";
inline constexpr std::string_view discovery_type = "application/vnd.veraison.discovery+json";
inline constexpr std::string_view problem_type = "application/problem+json";
inline constexpr std::string_view new_session_path = "/challenge-response/v1/newSession";

inline constexpr std::string_view discovery_path = "/.well-known/veraison/verification";

/// How long a session that is at work is left alone.
inline constexpr std::chrono::milliseconds poll_interval{250};

enum class session_status { waiting, processing, complete, failed };

struct session {
  session_status status = session_status::waiting;
  bytes nonce;
  /// Media types of Evidence that the Verifier appraises.
  std::vector<std::string> accept;
  /// The signed Attestation Result; only when complete.
  std::string result;
};

/// The service-state of a Verifier that is at work.
inline constexpr std::string_view ready_state = "READY";

/// What a Verifier says of itself.
struct discovery {
  /// Empty if not told.
  std::string service_state;
  /// Empty if not told.
  std::string new_session_path;
  /// certificate_invalid if there is none, or one of a kind that is not supported.
  atls::result<jws_key> result_key;
};

/// verifier_protocol if it is not a discovery document.
atls::result<discovery> parse_discovery(std::string_view body);

/// What a refusal says of itself: the detail of a problem document (RFC 7807); empty if it is none.
std::string problem_detail(const http_reply& refusal);

/// verifier_protocol if it is not a session document.
atls::result<session> parse_session(std::string_view body);

/// The path of new sessions with a nonce: base64url with "=" as "%3D", which every version reads.
std::string new_session_target(std::string_view path, bytes_view nonce);

}  // namespace atls::challenge_response
