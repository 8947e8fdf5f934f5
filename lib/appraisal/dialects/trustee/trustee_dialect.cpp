#include "dialects/trustee/trustee_dialect.hpp"

#include "dialects/cache_control.hpp"
#include "dialects/trustee/answers.hpp"

namespace atls {
namespace {

// The service has one key; a set in which one is looked for needs an end.
constexpr std::size_t max_keys = 16;

failure protocol_error(std::string why) {
  return {errc::verifier_protocol, std::move(why)};
}

// The service answers everything that fails with 500, bad Evidence too: no status says that it is
// the service that does not work.
result<std::string> find_token(const http_reply& answer) {
  if (answer.status != 200) {
    return failure(errc::verifier_rejected, trustee::status_and_text(answer));
  }
  return answer.body;
}

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
                   "its keys: " + trustee::status_and_text(answer));
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
  ATLS_TRY(auto given, trustee::to_tee_evidence(scheme, evidence));
  const json request{{"tee", scheme.shape().tee},
                     {"evidence", to_base64url(as_bytes(given.evidence.dump()))},
                     {"runtime_data", {{"raw", to_base64url(nonce)}}}};
  const json body{{"verification_requests", json::array({request})}, {"policy_ids", policy_ids_}};
  http_request first{"POST", where_.prefix + std::string(attestation_path), "*/*",
                     "application/json", to_bytes(as_bytes(body.dump()))};
  return trustee::make_exchange(std::move(first), std::move(given.report_data), find_token);
}

result_binding trustee_dialect::binding(const evidence_scheme& scheme, const statement& evidence,
                                        bytes_view, bytes_view) const {
  return trustee::binding(scheme, evidence);
}

}  // namespace atls
