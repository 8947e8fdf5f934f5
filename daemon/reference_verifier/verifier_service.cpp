#include "reference_verifier/verifier_service.hpp"

#include "core/text.hpp"
#include "dialects/veraison/challenge_response.hpp"
#include "formats/cmw.hpp"
#include "formats/corim.hpp"

#include <algorithm>
#include <array>

#include <openssl/rand.h>

namespace atls {
namespace {

namespace http = boost::beast::http;
namespace api = challenge_response;
using request = verifier_service::request;
using response = verifier_service::response;

constexpr auto session_lifetime = std::chrono::seconds(150);
constexpr std::size_t max_evidence_bytes = 64 * 1024;
constexpr std::size_t min_nonce_size = 8;
constexpr std::size_t max_nonce_size = 64;
constexpr std::size_t default_nonce_size = 32;
constexpr std::string_view session_prefix = "/challenge-response/v1/session/";
constexpr std::string_view developer = "atlsd";
constexpr std::array cmw_types = {"application/vnd.veraison.cmw",
                                  "application/vnd.veraison.cmw+cbor",
                                  "application/vnd.veraison.cmw+json",
                                  "application/cmw",
                                  "application/cmw+cbor",
                                  "application/cmw+json"};

response respond(const request& message, unsigned status, std::string_view type, std::string body) {
  response out(static_cast<http::status>(status), message.version());
  out.keep_alive(message.keep_alive());
  if (!type.empty()) {
    out.set(http::field::content_type, std::string(type));
  }
  out.body() = std::move(body);
  out.prepare_payload();
  return out;
}

response problem(const request& message, unsigned status, const std::string& detail) {
  const auto title = std::string(http::obsolete_reason(static_cast<http::status>(status)));
  const json body{
      {"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  return respond(message, status, api::problem_type, body.dump());
}

bool accepts(const request& message, std::string_view type) {
  const auto accept = message[http::field::accept];
  return accept.empty() || accept == "*/*" || accept.find(std::string(type)) != accept.npos ||
         (type == api::discovery_type && accept == "application/json");
}

std::string random_uuid() {
  bytes id(16);
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1) {
    throw error({errc::internal, "no random bytes"});
  }
  id[6] = (id[6] & 0x0f) | 0x40;  // UUID version 4 (RFC 9562 section 5.4)
  id[8] = (id[8] & 0x3f) | 0x80;
  return format_uuid(id);
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto escaped =
        text[i] == '%' && i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (escaped) {
      out += static_cast<char>(escaped->front());
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

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

json media_types(const evidence_appraisers& known) {
  json out = json::array();
  for (const auto& one : known) {
    out.push_back(one->media_type());
  }
  return out;
}

response session_response(const request& message, unsigned status, const appraisal_session& s,
                          const evidence_appraisers& known) {
  json body{{"status", name_of(s.status)},
            {"nonce", to_base64url_padded(s.nonce)},
            {"expiry", rfc3339(s.expiry)},
            {"accept", media_types(known)}};
  if (!s.evidence.empty()) {
    body["evidence"] = {{"type", s.evidence_type}, {"value", s.evidence}};
  }
  if (!s.result.empty()) {
    body["result"] = s.result;
  }
  return respond(message, status, api::session_type, body.dump());
}

// The session nonce that a query asks for, or why it cannot be had.
result<bytes> wanted_nonce(std::string_view query) {
  std::optional<std::string> nonce;
  std::optional<std::string> size;
  for (const auto parameter : split(query, '&')) {
    const auto equals = parameter.find('=');
    const auto name = parameter.substr(0, equals);
    const auto value = equals == std::string_view::npos
                           ? std::string()
                           : percent_decoded(parameter.substr(equals + 1));
    if (name == "nonce") {
      nonce = value;
    } else if (name == "nonceSize") {
      size = value;
    }
  }
  const auto bad = [](const std::string& why) {
    return failure(errc::verifier_protocol, "failed handling nonce request: " + why);
  };
  if (nonce && size) {
    return bad("nonce and nonceSize are mutually exclusive");
  }
  if (nonce) {
    const bool is_std = nonce->find_first_of("+/ ") != std::string::npos;
    auto value = is_std ? std::nullopt : from_any_base64(*nonce);
    if (!value) {
      return bad("nonce must be valid base64");
    }
    if (value->size() < min_nonce_size || value->size() > max_nonce_size) {
      return bad("nonce must be between 8 and 64 bytes long; got " + std::to_string(value->size()));
    }
    return std::move(*value);
  }
  std::size_t count = default_nonce_size;
  if (size) {
    const auto number = parse_number(*size, max_nonce_size);
    if (!number || *number < min_nonce_size) {
      return bad("nonceSize must be in range 8..64");
    }
    count = *number;
  }
  bytes value(count);
  RAND_bytes(value.data(), static_cast<int>(value.size()));
  return value;
}

}  // namespace

verifier_service::response verifier_service::handle(const request& message) {
  const std::string_view target(message.target().data(), message.target().size());
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  const auto query =
      question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  if (path == api::new_session_path && message.method() == http::verb::post) {
    return new_session(message, query);
  }
  if (path.starts_with(session_prefix)) {
    return use_session(message, path.substr(session_prefix.size()));
  }
  if (path == api::discovery_path && message.method() == http::verb::get) {
    return discovery(message);
  }
  return respond(message, 404, "text/plain", "404 page not found");
}

verifier_service::response verifier_service::new_session(const request& message,
                                                         std::string_view query) {
  if (!accepts(message, api::session_type)) {
    return problem(message, 406,
                   "the only supported output format is " + std::string(api::session_type));
  }
  auto nonce = wanted_nonce(query);
  if (!nonce) {
    return problem(message, 400, nonce.error().detail);
  }
  appraisal_session made;
  made.nonce = std::move(*nonce);
  made.expiry = std::chrono::system_clock::now() + session_lifetime;
  const auto id = random_uuid();
  auto out = session_response(message, 201, made, settings()->appraisers);
  out.set(http::field::location, "session/" + id);
  const std::lock_guard lock(mutex_);
  sessions_.drop_expired(std::chrono::system_clock::now());
  sessions_.add(id, std::move(made));
  return out;
}

verifier_service::response verifier_service::use_session(const request& message,
                                                         std::string_view id) {
  if (!parse_uuid(id)) {
    return problem(message, 400,
                   "invalid session id (" + std::string(id) + ") in path segment: not a UUID");
  }
  const std::string key(id);
  if (message.method() == http::verb::delete_) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(key);
    return respond(message, 204, "", "");
  }
  if (message.method() != http::verb::get && message.method() != http::verb::post) {
    return respond(message, 404, "text/plain", "404 page not found");
  }
  if (!accepts(message, api::session_type)) {
    return problem(message, 406,
                   "the only supported output format is " + std::string(api::session_type));
  }
  // Appraised outside the lock; "processing" so that nobody submits twice.
  appraisal_session mine;
  {
    const std::lock_guard lock(mutex_);
    sessions_.drop_expired(std::chrono::system_clock::now());
    const auto* const found = sessions_.find(key);
    if (found == nullptr) {
      return problem(message, 404, "session not found for (id, tenant)=(" + key + ", 0)");
    }
    if (message.method() == http::verb::get) {
      return session_response(message, 200, *found, settings_->appraisers);
    }
    if (found->status != api::session_status::waiting) {
      return problem(message, 409, "this session has had its evidence");
    }
    mine = *found;
    auto taken = *found;
    taken.status = api::session_status::processing;
    sessions_.replace(key, std::move(taken));
  }
  auto out = submit(message, *settings(), mine);
  const std::lock_guard lock(mutex_);
  sessions_.replace(key, std::move(mine));
  return out;
}

// What is refused leaves no trace in the session, and may be followed by something better.
verifier_service::response verifier_service::submit(const request& message, const options& settings,
                                                    appraisal_session& target) const {
  std::string type(message[http::field::content_type]);
  bytes evidence = to_bytes(as_bytes(message.body()));
  if (evidence.empty()) {
    return problem(message, 400, "unable to read evidence from the request body: empty");
  }
  if (std::ranges::find(cmw_types, type) != cmw_types.end()) {
    const auto record = parse_cmw_record(evidence);
    const auto* inner = record ? std::get_if<std::string>(&record->type) : nullptr;
    if (!record) {
      return problem(message, 400, "could not unwrap the CMW: " + record.error().detail);
    }
    type = inner != nullptr ? *inner : "a content-format";
    evidence = record->value;
  }
  const auto appraiser = std::ranges::find(settings.appraisers, type,
                                           [](const auto& one) { return one->media_type(); });
  if (appraiser == settings.appraisers.end()) {
    auto out = problem(message, 415, "no active plugin found for " + type);
    std::string accepted;
    for (const auto& one : settings.appraisers) {
      accepted.append(accepted.empty() ? "" : ", ").append(one->media_type());
    }
    out.set(http::field::accept, accepted);
    return out;
  }
  if (evidence.size() > max_evidence_bytes) {
    return too_large(message);
  }
  ear verdict;
  verdict.profile = ear::veraison_profile;
  verdict.issued_at = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  verdict.developer = developer;
  verdict.build = ATLS_VERSION;
  verdict.nonce = target.nonce;
  if (settings.result_lifetime) {
    verdict.expires = verdict.issued_at + settings.result_lifetime->count();
  }
  auto appraisal = (*appraiser)->appraise(evidence, target.nonce);
  const bool affirmed = appraisal.status == trust_tier::affirming;
  verdict.submodules.emplace((*appraiser)->submodule(), std::move(appraisal));
  target.status = api::session_status::complete;
  target.result = sign_jws(verdict.to_json().dump(), settings.result_key);
  // Evidence that is good for nothing could be of any size and number: it is not kept.
  if (affirmed) {
    target.evidence_type = type;
    target.evidence = to_base64(evidence);
  }
  return session_response(message, 200, target, settings.appraisers);
}

verifier_service::response verifier_service::too_large(const request& message) {
  auto out =
      problem(message, 413, "evidence may have " + std::to_string(max_evidence_bytes) + " bytes");
  out.keep_alive(false);
  return out;
}

void verifier_service::use(options settings) {
  auto next = std::make_shared<options>(std::move(settings));
  const std::lock_guard lock(mutex_);
  settings_ = std::move(next);
}

std::size_t verifier_service::session_bytes() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size_bytes();
}

std::shared_ptr<const verifier_service::options> verifier_service::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

verifier_service::response verifier_service::discovery(const request& message) const {
  if (!accepts(message, api::discovery_type)) {
    return problem(message, 406,
                   "the only supported output format is " + std::string(api::discovery_type));
  }
  const json body{{"ear-verification-key", to_jwk(settings()->result_key)},
                  {"media-types", media_types(settings()->appraisers)},
                  {"version", ATLS_VERSION},
                  {"service-state", "READY"},
                  {"api-endpoints", {{"newChallengeResponseSession", api::new_session_path}}}};
  auto out = respond(message, 200, api::discovery_type, body.dump());
  out.set(http::field::cache_control, "max-age=60");
  return out;
}

}  // namespace atls
