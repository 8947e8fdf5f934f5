#include "dialects/veraison/challenge_response.hpp"

#include "formats/json.hpp"

#include <algorithm>
#include <optional>

namespace atls::challenge_response {
namespace {

failure protocol_error(std::string why) {
  return {errc::verifier_protocol, std::move(why)};
}

bool is_plain(char c) {
  return c > ' ' && c < 0x7f;
}

std::optional<session_status> parse_status(std::string_view text) {
  if (text == "waiting") {
    return session_status::waiting;
  }
  if (text == "processing") {
    return session_status::processing;
  }
  if (text == "complete") {
    return session_status::complete;
  }
  return text == "failed" ? std::optional(session_status::failed) : std::nullopt;
}

atls::result<jws_key> parse_result_key(const json& document) {
  const auto jwk = document.find("ear-verification-key");
  if (jwk == document.end()) {
    return failure(errc::certificate_invalid, "the discovery document has no ear-verification-key");
  }
  auto key = parse_jwk(*jwk);
  if (!key) {
    return failure(errc::certificate_invalid,
                   "the discovery document's ear-verification-key: " + key.error().detail);
  }
  return key;
}

}  // namespace

atls::result<session> parse_session(std::string_view body) {
  ATLS_TRY(const json document, parse_json(body, errc::verifier_protocol));
  if (!document.is_object()) {
    return protocol_error("the session is not a JSON object");
  }
  session out;
  const auto status = parse_status(string_member(document, "status").value_or(""));
  auto nonce = from_any_base64(string_member(document, "nonce").value_or("="));
  const auto accept = document.find("accept");
  if (!status || !nonce || accept == document.end() || !accept->is_array()) {
    return protocol_error("the session lacks a status, nonce or list of accepted types");
  }
  out.status = *status;
  out.nonce = std::move(*nonce);
  for (const auto& type : *accept) {
    if (type.is_string()) {
      out.accept.push_back(type.get<std::string>());
    }
  }
  out.result = string_member(document, "result").value_or("");
  if (out.status == session_status::complete && out.result.empty()) {
    return protocol_error("the session is complete and has no result");
  }
  return out;
}

atls::result<discovery> parse_discovery(std::string_view body) {
  ATLS_TRY(const json document, parse_json(body, errc::verifier_protocol));
  if (!document.is_object()) {
    return protocol_error("the discovery document is not a JSON object");
  }
  discovery out{string_member(document, "service-state").value_or(""), "",
                parse_result_key(document)};
  if (const auto endpoints = document.find("api-endpoints");
      endpoints != document.end() && endpoints->is_object()) {
    out.new_session_path = string_member(*endpoints, "newChallengeResponseSession").value_or("");
  }
  if (!out.new_session_path.empty() &&
      (!out.new_session_path.starts_with('/') || out.new_session_path.starts_with("//") ||
       !std::ranges::all_of(out.new_session_path, is_plain))) {
    return protocol_error("the discovery document's endpoint is not an absolute path");
  }
  return out;
}

std::string problem_detail(const http_reply& refusal) {
  if (!refusal.content_type.starts_with(problem_type)) {
    return {};
  }
  const auto problem = parse_json(refusal.body, errc::verifier_protocol);
  return problem && problem->is_object() ? string_member(*problem, "detail").value_or("") : "";
}

std::string new_session_target(std::string_view path, bytes_view nonce) {
  std::string out(path);
  out.append("?nonce=");
  for (const char c : to_base64url_padded(nonce)) {
    if (c == '=') {
      out += "%3D";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace atls::challenge_response
