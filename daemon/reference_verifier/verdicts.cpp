#include "reference_verifier/verdicts.hpp"

namespace atls::verdict {
namespace {

ear_appraisal appraisal_by(std::string_view policy) {
  ear_appraisal out;
  out.policy_ids = {"policy:" + std::string(policy)};
  return out;
}

}  // namespace

ear_appraisal affirming(std::string_view policy, const std::vector<std::size_t>& entries) {
  auto out = appraisal_by(policy);
  for (const auto entry : entries) {
    out.vector[entry] = affirmed;
  }
  out.status = trust_tier::affirming;
  return out;
}

ear_appraisal refused(std::string_view policy, std::size_t entry, int value, std::string problem) {
  auto out = appraisal_by(policy);
  out.vector[entry] = value;
  out.status = tier_of(value);
  out.policy_claims = {{"problem", std::move(problem)}};
  return out;
}

ear_appraisal unauthentic(std::string_view policy, std::string problem) {
  auto out = refused(policy, trust_claim::instance_identity, crypto_failed, std::move(problem));
  out.vector.fill(crypto_failed);
  return out;
}

}  // namespace atls::verdict
