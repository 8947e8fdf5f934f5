#include "reference_verifier/answers.hpp"

#include "core/text.hpp"
#include "dialects/veraison/challenge_response.hpp"

namespace atls {
namespace {

namespace http = boost::beast::http;
namespace api = challenge_response;

std::string_view name_of(api::session_status status) {
  switch (status) {
    case api::session_status::waiting:
      return "waiting";
    case api::session_status::processing:
      return "processing";
    case api::session_status::complete:
      return "complete";
    case api::session_status::failed:
      break;
  }
  return "failed";
}

}  // namespace

http_answer answer(const http_question& to, unsigned status, std::string_view type,
                   std::string body) {
  http_answer out(static_cast<http::status>(status), to.version());
  out.keep_alive(to.keep_alive());
  if (!type.empty()) {
    out.set(http::field::content_type, std::string(type));
  }
  out.body() = std::move(body);
  out.prepare_payload();
  return out;
}

http_answer problem(const http_question& to, unsigned status, const std::string& detail) {
  const auto title = std::string(http::obsolete_reason(static_cast<http::status>(status)));
  const json body{
      {"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  return answer(to, status, api::problem_type, body.dump());
}

http_answer not_found(const http_question& to) {
  return answer(to, 404, "text/plain", "404 page not found");
}

bool accepts(const http_question& message, std::string_view type) {
  const auto accept = message[http::field::accept];
  return accept.empty() || accept == "*/*" || accept.find(std::string(type)) != accept.npos ||
         (type == api::discovery_type && accept == "application/json");
}

http_answer not_acceptable(const http_question& to, std::string_view type) {
  return problem(to, 406, "the only supported output format is " + std::string(type));
}

http_answer no_appraiser(const http_question& to, const std::string& media_type,
                         const evidence_appraisers& known) {
  auto out = problem(to, 415, "no active plugin found for " + media_type);
  std::string accepted;
  for (const auto& one : known) {
    accepted.append(accepted.empty() ? "" : ", ").append(one->media_type());
  }
  out.set(http::field::accept, accepted);
  return out;
}

http_answer describe(const http_question& to, unsigned status, const appraisal_session& session,
                     const evidence_appraisers& known) {
  json body{{"status", name_of(session.status)},
            {"nonce", to_base64url_padded(session.nonce)},
            {"expiry", rfc3339(session.expiry)},
            {"accept", media_types(known)}};
  if (!session.evidence.empty()) {
    body["evidence"] = {{"type", session.evidence_type}, {"value", session.evidence}};
  }
  if (!session.result.empty()) {
    body["result"] = session.result;
  }
  return answer(to, status, api::session_type, body.dump());
}

json media_types(const evidence_appraisers& known) {
  json out = json::array();
  for (const auto& one : known) {
    out.push_back(one->media_type());
  }
  return out;
}

}  // namespace atls
