#include "appraisal/policy/facts.hpp"

#include "core/text.hpp"

#include <algorithm>

namespace atls {
result<json> ear_facts(const ear& claims, std::chrono::system_clock::time_point now) {
  if (claims.submodules.size() != 1) {
    return failure(errc::ear_submodule,
                   "found " + std::to_string(claims.submodules.size()) + ", expected one");
  }
  const auto& [name, appraisal] = *claims.submodules.begin();
  json vector;
  for (std::size_t i = 0; i < trust_claims.size(); ++i) {
    vector[std::string(trust_claims[i])] = appraisal.vector[i];
  }
  // A Verifier whose clock is a little ahead has made it just now.
  const auto age = std::chrono::system_clock::to_time_t(now) - claims.issued_at;
  return json{{"profile", claims.profile},   {"developer", claims.developer},
              {"build", claims.build},       {"age_s", std::max<std::int64_t>(age, 0)},
              {"submodule", name},           {"status", to_string(appraisal.status)},
              {"vector", std::move(vector)}, {"policy_ids", appraisal.policy_ids}};
}

json appraisal_facts(json evidence, json ear, const std::string& pki_name) {
  return {
      {"evidence", std::move(evidence)}, {"ear", std::move(ear)}, {"pki", {{"name", pki_name}}}};
}

const json* value_of(const json& facts, std::string_view name) {
  const json* at = &facts;
  for (const auto part : split(name, '.')) {
    if (!at->is_object() || !at->contains(part)) {
      return nullptr;
    }
    at = &at->at(std::string(part));
  }
  return at;
}

}  // namespace atls
