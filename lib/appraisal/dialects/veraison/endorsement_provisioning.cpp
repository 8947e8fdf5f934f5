#include "dialects/veraison/endorsement_provisioning.hpp"

#include "formats/json.hpp"

namespace atls::endorsement_provisioning {

bool session::is_duplicate() const {
  return status == session_status::failed &&
         failure_reason.find("already in store") != std::string::npos;
}

atls::result<session> parse_session(std::string_view body) {
  ATLS_TRY(const json document, parse_json(body, errc::verifier_protocol));
  const auto status =
      document.is_object() ? string_member(document, "status").value_or("") : std::string();
  if (status == "processing") {
    return session{session_status::processing, {}};
  }
  if (status == "success") {
    return session{session_status::success, {}};
  }
  if (status == "failed") {
    return session{session_status::failed, string_member(document, "failure-reason").value_or("")};
  }
  return failure(errc::verifier_protocol, "the provisioning session's status is \"" + status +
                                              "\", expected processing, success or failed");
}

std::string media_type(const corim_form& form, std::string_view profile) {
  std::string out(form.media_type);
  return out.append("; profile=\"").append(profile).append("\"");
}

}  // namespace atls::endorsement_provisioning
