#include "reference_verifier/verifier_service.hpp"

#include "dialects/veraison/challenge_response.hpp"
#include "formats/cmw.hpp"
#include "formats/corim.hpp"
#include "reference_verifier/session_nonce.hpp"

#include <algorithm>
#include <array>

#include <openssl/rand.h>

namespace atls {
namespace {

namespace http = boost::beast::http;
namespace api = challenge_response;
using std::chrono::system_clock;

constexpr auto session_lifetime = std::chrono::seconds(150);
constexpr std::size_t max_evidence_bytes = 64 * 1024;
constexpr std::string_view developer = "atlsd";
constexpr std::array cmw_types = {"application/vnd.veraison.cmw",
                                  "application/vnd.veraison.cmw+cbor",
                                  "application/vnd.veraison.cmw+json",
                                  "application/cmw",
                                  "application/cmw+cbor",
                                  "application/cmw+json"};

// Where a session is, as the answer to newSession names it: beside that.
constexpr std::string_view session_folder = "session/";
constexpr std::string_view api_folder =
    api::new_session_path.substr(0, api::new_session_path.rfind('/') + 1);

std::optional<std::string_view> session_of(std::string_view path) {
  if (!path.starts_with(api_folder)) {
    return std::nullopt;
  }
  path.remove_prefix(api_folder.size());
  return path.starts_with(session_folder) ? std::optional(path.substr(session_folder.size()))
                                          : std::nullopt;
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

struct submission {
  std::string media_type;
  bytes evidence;
};

// What a body holds, bare or in a CMW.
result<submission> read_submission(const http_question& message) {
  submission out{std::string(message[http::field::content_type]),
                 to_bytes(as_bytes(message.body()))};
  if (out.evidence.empty()) {
    return failure(errc::evidence_malformed,
                   "unable to read evidence from the request body: empty");
  }
  if (std::ranges::find(cmw_types, out.media_type) == cmw_types.end()) {
    return out;
  }
  auto record = parse_cmw_record(out.evidence);
  if (!record) {
    return failure(errc::cmw_malformed, "could not unwrap the CMW: " + record.error().detail);
  }
  const auto* inner = std::get_if<std::string>(&record->type);
  return submission{inner != nullptr ? *inner : "a content-format", std::move(record->value)};
}

std::string sign_verdicts(const verifier_service::options& settings, verdicts all,
                          const bytes& nonce) {
  ear out;
  out.profile = ear::veraison_profile;
  out.issued_at = system_clock::to_time_t(system_clock::now());
  if (settings.result_lifetime) {
    out.expires = out.issued_at + settings.result_lifetime->count();
  }
  out.developer = developer;
  out.build = ATLS_VERSION;
  out.nonce = nonce;
  for (auto& [submodule, appraisal] : all) {
    out.submodules.emplace(submodule, std::move(appraisal));
  }
  return sign_jws(out.to_json().dump(), settings.result_key);
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
  if (const auto id = session_of(path)) {
    return use_session(message, *id);
  }
  if (path == api::discovery_path && message.method() == http::verb::get) {
    return discovery(message);
  }
  return not_found(message);
}

verifier_service::response verifier_service::new_session(const request& message,
                                                         std::string_view query) {
  if (!accepts(message, api::session_type)) {
    return not_acceptable(message, api::session_type);
  }
  auto nonce = session_nonce(query);
  if (!nonce) {
    return problem(message, 400, nonce.error().detail);
  }
  appraisal_session made;
  made.nonce = std::move(*nonce);
  made.expiry = system_clock::now() + session_lifetime;
  const auto id = random_uuid();
  auto out = describe(message, 201, made, settings()->appraisers);
  out.set(http::field::location, std::string(session_folder) + id);
  const std::lock_guard lock(mutex_);
  sessions_.drop_expired(system_clock::now());
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
    return answer(message, 204, "", "");
  }
  if (message.method() != http::verb::get && message.method() != http::verb::post) {
    return not_found(message);
  }
  if (!accepts(message, api::session_type)) {
    return not_acceptable(message, api::session_type);
  }
  // Appraised outside the lock; "processing" so that nobody submits twice.
  appraisal_session mine;
  {
    const std::lock_guard lock(mutex_);
    sessions_.drop_expired(system_clock::now());
    const auto* const found = sessions_.find(key);
    if (found == nullptr) {
      return problem(message, 404, "session not found for (id, tenant)=(" + key + ", 0)");
    }
    if (message.method() == http::verb::get) {
      return describe(message, 200, *found, settings_->appraisers);
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
  const auto submitted = read_submission(message);
  if (!submitted) {
    return problem(message, 400, submitted.error().detail);
  }
  const auto& [media_type, evidence] = *submitted;
  const auto found = std::ranges::find(settings.appraisers, media_type,
                                       [](const auto& one) { return one->media_type(); });
  if (found == settings.appraisers.end()) {
    return no_appraiser(message, media_type, settings.appraisers);
  }
  if (evidence.size() > max_evidence_bytes) {
    return too_large(message);
  }
  auto appraised = (*found)->appraise(evidence, target.nonce);
  // Evidence that is good for nothing could be of any size and number: it is not kept.
  if (std::ranges::all_of(
          appraised, [](const auto& one) { return one.second.status == trust_tier::affirming; })) {
    target.evidence_type = media_type;
    target.evidence = to_base64(evidence);
  }
  target.status = api::session_status::complete;
  target.result = sign_verdicts(settings, std::move(appraised), target.nonce);
  return describe(message, 200, target, settings.appraisers);
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
    return not_acceptable(message, api::discovery_type);
  }
  const auto known = settings();
  const json body{{"ear-verification-key", to_jwk(known->result_key)},
                  {"media-types", media_types(known->appraisers)},
                  {"version", ATLS_VERSION},
                  {"service-state", api::ready_state},
                  {"api-endpoints", {{"newChallengeResponseSession", api::new_session_path}}}};
  auto out = answer(message, 200, api::discovery_type, body.dump());
  out.set(http::field::cache_control, "max-age=60");
  return out;
}

}  // namespace atls
