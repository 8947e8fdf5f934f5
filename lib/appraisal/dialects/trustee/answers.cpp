#include "dialects/trustee/answers.hpp"

#include "formats/ear_token.hpp"

namespace atls::trustee {
namespace {

constexpr std::size_t max_shown = 200;

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.size() == max_shown) {
      break;
    }
    if (c > ' ' && c < 0x7f) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

result<std::string> claimed_report_data(std::string_view token) {
  const auto found = read_unverified_ear(as_bytes(token));
  if (!found) {
    return failure(errc::verifier_protocol,
                   "the answer is no Attestation Result: " + shown(found.error().detail));
  }
  if (!found->header.is_object()) {
    return failure(errc::verifier_protocol, "the answer is not a JWT");
  }
  for (const auto& [name, appraisal] : found->claims.submodules) {
    if (auto data = string_member(appraisal.annotated_evidence, "report_data")) {
      return std::move(*data);
    }
  }
  return failure(errc::verifier_protocol, "the Attestation Result names no report_data");
}

result<void> check_report_data(std::string_view token, const std::string& expected) {
  ATLS_TRY(const auto claimed, claimed_report_data(token));
  if (claimed != expected) {
    return failure(errc::verifier_nonce,
                   "the answer is about report data " + shown(claimed) + ", expected " + expected);
  }
  return {};
}

class one_request final : public appraisal_exchange {
 public:
  one_request(http_request request, std::string report_data, token_finder find_token)
      : request_(std::move(request)),
        report_data_(std::move(report_data)),
        find_token_(find_token) {}

  http_request begin() override { return std::move(request_); }

  result<std::variant<next_request, std::string>> resume(const http_reply& answer) override {
    ATLS_TRY(auto token, find_token_(answer));
    ATLS_CHECK(check_report_data(token, report_data_));
    return token;
  }

  bool has_sent_evidence() const noexcept override { return true; }

 private:
  http_request request_;
  const std::string report_data_;
  const token_finder find_token_;
};

}  // namespace

std::string status_and_text(const http_reply& answer) {
  return "status " + std::to_string(answer.status) + ": " + shown(answer.body);
}

std::unique_ptr<appraisal_exchange> make_exchange(http_request request, std::string report_data,
                                                  token_finder find_token) {
  return std::make_unique<one_request>(std::move(request), std::move(report_data), find_token);
}

result_binding binding(const evidence_scheme& scheme, const statement& evidence) {
  auto shape = scheme.shape();
  return {{ear::trustee_profile},
          {{submodule, std::move(shape.tee_affirmed)}},
          std::nullopt,
          std::nullopt,
          annotated_evidence{std::string(shape.tee), scheme.for_trustee(evidence).report_data}};
}

result<tee_evidence> to_tee_evidence(const evidence_scheme& scheme, const statement& evidence) {
  if (scheme.is_for(verifier_type::trustee) && !scheme.shape().tee.empty()) {
    auto out = scheme.for_trustee(evidence);
    // Without it nothing could tell the answer from another one's.
    if (!out.report_data.empty()) {
      return out;
    }
  }
  return failure(errc::verifier_evidence_type, evidence.media_type);
}

}  // namespace atls::trustee
