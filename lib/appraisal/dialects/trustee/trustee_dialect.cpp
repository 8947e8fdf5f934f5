#include "dialects/trustee/trustee_dialect.hpp"

#include "dialects/cache_control.hpp"
#include "formats/ear_token.hpp"

namespace atls {
namespace {

constexpr std::size_t max_shown = 200;
// The service has one key; a set in which one is looked for needs an end.
constexpr std::size_t max_keys = 16;

failure protocol_error(std::string why) {
  return {errc::verifier_protocol, std::move(why)};
}

// The beginning of what the service says, as one line of ASCII.
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

std::string status_and_text(const http_reply& answer) {
  return "status " + std::to_string(answer.status) + ": " + shown(answer.body);
}

// What a result says that the Evidence was bound to. Nobody has verified it yet.
result<std::string> claimed_report_data(std::string_view token) {
  const auto found = read_unverified_ear(as_bytes(token));
  if (!found) {
    return protocol_error("the answer is no Attestation Result: " + shown(found.error().detail));
  }
  if (!found->header.is_object()) {
    return protocol_error("the answer is not a JWT");
  }
  for (const auto& [name, appraisal] : found->claims.submodules) {
    if (auto data = string_member(appraisal.annotated_evidence, "report_data")) {
      return std::move(*data);
    }
  }
  return protocol_error("the Attestation Result names no report_data");
}

class trustee_exchange final : public appraisal_exchange {
 public:
  trustee_exchange(http_request request, std::string report_data)
      : request_(std::move(request)), report_data_(std::move(report_data)) {}

  http_request begin() override { return std::move(request_); }

  // The service answers everything that fails with 500, bad Evidence too: no status says that it
  // is the service that does not work.
  result<std::variant<next_request, std::string>> resume(const http_reply& answer) override {
    if (answer.status != 200) {
      return failure(errc::verifier_rejected, status_and_text(answer));
    }
    ATLS_TRY(const auto claimed, claimed_report_data(answer.body));
    if (claimed != report_data_) {
      return failure(errc::verifier_nonce, "the answer is about report data " + shown(claimed) +
                                               ", expected " + report_data_);
    }
    return answer.body;
  }

  bool has_sent_evidence() const noexcept override { return true; }

 private:
  http_request request_;
  const std::string report_data_;
};

// Keys of other kinds and uses may stand in the same set.
result<jws_keys> usable_keys(const json& set) {
  jws_keys out;
  std::string why = "there is none";
  for (const auto& jwk : set) {
    auto key = parse_jwk(jwk);
    if (!key) {
      why = key.error().detail;
    } else if (string_member(jwk, "use").value_or("sig") != "sig") {
      why = "its use is not \"sig\"";
    } else {
      out.push_back(std::make_shared<const jws_key>(std::move(*key)));
    }
  }
  if (out.empty()) {
    return protocol_error("no usable key in its key set: " + why);
  }
  return out;
}

}  // namespace

trustee_dialect::trustee_dialect(url where, std::vector<std::string> policy_ids)
    : where_(std::move(where)), policy_ids_(std::move(policy_ids)) {}

http_request trustee_dialect::discovery() const {
  return {"GET", where_.prefix + std::string(keys_path), "application/json", "", {}};
}

result<verifier_discovery> trustee_dialect::discovered(const http_reply& answer) {
  if (answer.status != 200) {
    return failure(answer.status >= 500 ? errc::verifier_unavailable : errc::verifier_rejected,
                   "its keys: " + status_and_text(answer));
  }
  ATLS_TRY(const json document, parse_json(answer.body, errc::verifier_protocol));
  const auto set = document.find("keys");
  if (set == document.end() || !set->is_array()) {
    return protocol_error("its key set is not an object with an array \"keys\"");
  }
  if (set->size() > max_keys) {
    return protocol_error("its key set has " + std::to_string(set->size()) +
                          " keys, expected at most " + std::to_string(max_keys));
  }
  verifier_discovery out{max_age(answer.cache_control), {}, usable_keys(*set)};
  if (!out.keys) {
    out.readiness = failure(errc::verifier_unavailable, out.keys.error().detail);
  }
  return out;
}

result<std::unique_ptr<appraisal_exchange>> trustee_dialect::open(const evidence_scheme& scheme,
                                                                  const statement& evidence,
                                                                  bytes_view nonce) const {
  if (nonce.empty() || nonce.size() > max_nonce_bytes) {
    return failure(errc::internal, "a nonce of " + std::to_string(nonce.size()) +
                                       " bytes, expected 1 to " + std::to_string(max_nonce_bytes));
  }
  auto given =
      scheme.is_for(verifier_type::trustee) ? scheme.for_trustee(evidence) : tee_evidence();
  if (given.tee.empty() || given.report_data.empty()) {
    return failure(errc::verifier_evidence_type, evidence.media_type);
  }
  const json request{{"tee", given.tee},
                     {"evidence", to_base64url(as_bytes(given.evidence.dump()))},
                     {"runtime_data", {{"raw", to_base64url(nonce)}}}};
  const json body{{"verification_requests", json::array({request})}, {"policy_ids", policy_ids_}};
  http_request first{"POST", where_.prefix + std::string(attestation_path), "*/*",
                     "application/json", to_bytes(as_bytes(body.dump()))};
  return std::make_unique<trustee_exchange>(std::move(first), std::move(given.report_data));
}

result_binding trustee_dialect::binding(const evidence_scheme& scheme, const statement& evidence,
                                        bytes_view, bytes_view) const {
  auto given = scheme.for_trustee(evidence);
  return {{ear::trustee_profile},
          std::string(submodule),
          std::nullopt,
          std::nullopt,
          scheme.shape().affirmed,
          annotated_evidence{std::move(given.tee), std::move(given.report_data)}};
}

}  // namespace atls
