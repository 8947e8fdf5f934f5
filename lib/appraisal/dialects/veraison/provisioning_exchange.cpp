#include "dialects/veraison/provisioning_exchange.hpp"

#include "dialects/veraison/challenge_response.hpp"
#include "dialects/veraison/endorsement_provisioning.hpp"

namespace atls {

namespace api = endorsement_provisioning;

namespace {

// What may be the cause of a status, for people.
std::string_view advice_for(unsigned status) {
  switch (status) {
    case 401:
    case 403:
      return "; is the Authorization that of a provisioner?";
    case 404:
    case 405:
      return "; is this the provisioning service?";
    case 415:
      return "; is it of another release (--for)?";
    default:
      return "";
  }
}

failure refused(const http_reply& answer) {
  const auto detail = challenge_response::problem_detail(answer);
  std::string why =
      "status " + std::to_string(answer.status) + (detail.empty() ? "" : ": ") + detail;
  const auto code = answer.status >= 500 ? errc::verifier_unavailable : errc::provisioning_refused;
  return {code, why.append(advice_for(answer.status))};
}

}  // namespace

provisioning_exchange::provisioning_exchange(url where, std::string media_type, bytes corim)
    : where_(std::move(where)),
      submit_target_(where_.prefix + std::string(api::submit_path)),
      media_type_(std::move(media_type)),
      corim_(std::move(corim)) {}

http_request provisioning_exchange::begin() {
  return {"POST", submit_target_, std::string(api::session_type), std::move(media_type_),
          std::move(corim_)};
}

result<std::variant<next_request, provisioning_outcome>> provisioning_exchange::resume(
    const http_reply& answer) {
  if (answer.status < 200 || answer.status > 202) {
    return refused(answer);
  }
  ATLS_TRY(const auto session, api::parse_session(answer.body));
  if (session.status == api::session_status::success) {
    return provisioning_outcome::accepted;
  }
  if (session.is_duplicate()) {
    return provisioning_outcome::duplicate;
  }
  if (session.status == api::session_status::failed) {
    return failure(errc::provisioning_refused, session.failure_reason);
  }
  if (session_path_.empty() && answer.location.empty()) {
    return failure(errc::verifier_protocol, "no Location of the session");
  }
  if (session_path_.empty()) {
    ATLS_TRY(session_path_, where_.resolve(submit_target_, answer.location));
  }
  http_request poll{"GET", session_path_, std::string(api::session_type), "", {}};
  return next_request{std::move(poll), challenge_response::poll_interval};
}

}  // namespace atls
