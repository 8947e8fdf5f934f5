// Veraison's challenge-response API as requests in, responses out. No sockets here.
#pragma once

#include "formats/jose.hpp"
#include "reference_verifier/answers.hpp"

#include <memory>
#include <mutex>

namespace atls {

class verifier_service {
 public:
  using request = http_question;
  using response = http_answer;

  struct options {
    jws_key result_key;
    /// Whatever they appraise is accepted, and nothing else.
    evidence_appraisers appraisers;
    /// After which Attestation Results expire; absent: they do not say.
    std::optional<std::chrono::seconds> result_lifetime;
  };

  /// What a body may have: Evidence of the greatest size, wrapped in JSON.
  static constexpr std::size_t max_body_bytes = 96 * 1024;

  explicit verifier_service(options settings, session_store::limits most = {})
      : settings_(std::make_shared<options>(std::move(settings))), sessions_(most) {}

  /// From any thread.
  response handle(const request& message);

  /// The answer to a request whose body is larger than max_body_bytes and was not read.
  static response too_large(const request& message);

  /// Replaces all that is known, at once. Sessions stay, and are appraised by it from now on. From
  /// any thread.
  void use(options settings);
  std::shared_ptr<const options> settings() const;

  /// What the sessions hold, about.
  std::size_t session_bytes() const;

 private:
  response new_session(const request& message, std::string_view query);
  response use_session(const request& message, std::string_view id);
  response submit(const request& message, const options& settings, appraisal_session& target) const;
  response discovery(const request& message) const;

  mutable std::mutex mutex_;
  std::shared_ptr<const options> settings_;
  session_store sessions_;
};

}  // namespace atls
