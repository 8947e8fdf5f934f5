// Veraison's endorsement provisioning API (version 1): media types and the session document. No
// I/O.
#pragma once

#include "formats/corim.hpp"

namespace atls::endorsement_provisioning {

inline constexpr std::string_view submit_path = "/endorsement-provisioning/v1/submit";
inline constexpr std::string_view session_type =
    "application/vnd.veraison.provisioning-session+json";

enum class session_status { processing, success, failed };

struct session {
  session_status status = session_status::processing;
  /// Only when failed.
  std::string failure_reason;

  /// The very same CoRIM was submitted before; nothing was stored again.
  bool is_duplicate() const;
};

/// verifier_protocol if it is not a session document.
atls::result<session> parse_session(std::string_view body);

/// What endorsements in this form are submitted as; Veraison compares it byte for byte.
std::string media_type(const corim_form& form, std::string_view profile);

}  // namespace atls::endorsement_provisioning
