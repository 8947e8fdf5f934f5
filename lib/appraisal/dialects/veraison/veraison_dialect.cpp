#include "dialects/veraison/veraison_dialect.hpp"

#include "dialects/cache_control.hpp"
#include "dialects/veraison/challenge_response.hpp"
#include "formats/ear.hpp"

#include <algorithm>

namespace atls {

namespace api = challenge_response;

namespace {

using api::session_status;

// An error of the Verifier's own (5xx) is no answer: another Verifier may have one.
failure refused(const std::string& doing, const http_reply& answer) {
  const auto code = answer.status >= 500 ? errc::verifier_unavailable : errc::verifier_rejected;
  return {code,
          doing + ": status " + std::to_string(answer.status) + " " + api::problem_detail(answer)};
}

http_request session_request(std::string method, std::string target) {
  return {std::move(method), std::move(target), std::string(api::session_type), "", {}};
}

class veraison_exchange final : public appraisal_exchange {
 public:
  using step = std::variant<next_request, std::string>;

  veraison_exchange(url where, std::string new_session_target, veraison_evidence what, bytes nonce)
      : where_(std::move(where)),
        new_session_target_(std::move(new_session_target)),
        media_type_(std::move(what.media_type)),
        evidence_(std::move(what.content)),
        nonce_(std::move(nonce)) {}

  http_request begin() override { return session_request("POST", new_session_target_); }

  result<step> resume(const http_reply& answer) override {
    return has_sent_evidence_ ? appraised(answer) : session_made(answer);
  }

  bool has_sent_evidence() const noexcept override { return has_sent_evidence_; }

 private:
  result<step> session_made(const http_reply& answer) {
    if (answer.status != 201) {
      return refused("new session", answer);
    }
    ATLS_TRY(const auto session, api::parse_session(answer.body));
    if (session.nonce != nonce_) {
      return failure(errc::verifier_nonce, "the new session is for " + to_hex(session.nonce) +
                                               ", expected " + to_hex(nonce_));
    }
    if (answer.location.empty()) {
      return failure(errc::verifier_protocol, "the new session has no Location");
    }
    auto path = where_.resolve(new_session_target_, answer.location);
    if (!path) {
      return failure(path.error().code, "the new session's Location: " + path.error().detail);
    }
    if (std::ranges::find(session.accept, media_type_) == session.accept.end()) {
      return failure(errc::verifier_evidence_type, media_type_);
    }
    session_path_ = std::move(*path);
    has_sent_evidence_ = true;
    auto submission = session_request("POST", session_path_);
    submission.content_type = media_type_;
    submission.body = std::move(evidence_);
    return next_request{std::move(submission)};
  }

  result<step> appraised(const http_reply& answer) {
    if (answer.status != 200 && answer.status != 202) {
      return refused("Evidence", answer);
    }
    ATLS_TRY(auto session, api::parse_session(answer.body));
    if (session.nonce != nonce_) {
      return failure(errc::verifier_nonce,
                     "the answer is for " + to_hex(session.nonce) + ", expected " + to_hex(nonce_));
    }
    if (session.status == session_status::complete) {
      return std::move(session.result);
    }
    if (session.status == session_status::failed) {
      return refused("the session failed", answer);
    }
    return next_request{session_request("GET", session_path_), api::poll_interval};
  }

  const url where_;
  const std::string new_session_target_;
  const std::string media_type_;
  /// Until it is sent.
  bytes evidence_;
  const bytes nonce_;
  std::string session_path_;
  bool has_sent_evidence_ = false;
};

result<void> readiness_of(const api::discovery& said) {
  if (said.service_state != api::ready_state) {
    return failure(errc::verifier_unavailable, "its service-state is \"" + said.service_state +
                                                   "\", expected \"" +
                                                   std::string(api::ready_state) + "\"");
  }
  return {};
}

}  // namespace

veraison_dialect::veraison_dialect(url where)
    : where_(std::move(where)),
      new_session_path_(where_.prefix + std::string(api::new_session_path)) {}

http_request veraison_dialect::discovery() const {
  return {"GET",
          where_.prefix + std::string(api::discovery_path),
          std::string(api::discovery_type),
          "",
          {}};
}

result<verifier_discovery> veraison_dialect::discovered(const http_reply& answer) {
  if (answer.status != 200) {
    return refused("discovery", answer);
  }
  ATLS_TRY(auto said, api::parse_discovery(answer.body));
  verifier_discovery out{max_age(answer.cache_control), readiness_of(said), jws_keys()};
  if (!said.result_key) {
    out.keys = failure(errc::verifier_protocol, said.result_key.error().detail);
    return out;
  }
  out.keys->push_back(std::make_shared<const jws_key>(std::move(*said.result_key)));
  if (!said.new_session_path.empty()) {
    new_session_path_ = where_.prefix + said.new_session_path;
  }
  return out;
}

result<std::unique_ptr<appraisal_exchange>> veraison_dialect::open(const evidence_scheme& scheme,
                                                                   const statement& evidence,
                                                                   bytes_view nonce) const {
  auto compared = scheme.veraison_nonce(nonce);
  auto target = api::new_session_target(new_session_path_, compared);
  return std::make_unique<veraison_exchange>(where_, std::move(target),
                                             scheme.for_veraison(evidence), std::move(compared));
}

result_binding veraison_dialect::binding(const evidence_scheme& scheme, const statement&,
                                         bytes_view nonce, bytes_view leaf_spki) const {
  auto shape = scheme.shape();
  return {{ear::veraison_profile, ear::ietf_profile, ear::ietf_profile_04},
          std::move(shape.submodules),
          scheme.veraison_nonce(nonce),
          shape.names_key ? std::optional(to_bytes(leaf_spki)) : std::nullopt,
          std::nullopt};
}

}  // namespace atls
