#include "appraisal/policy/facts.hpp"

#include "core/text.hpp"

#include <algorithm>

namespace atls {
namespace {

// The same entry of two submodules: what is worse counts, and any claim more than none.
int worse(int a, int b) {
  return std::max(a, b, [](int one, int other) {
    return std::pair(tier_of(one), one) < std::pair(tier_of(other), other);
  });
}

}  // namespace

json ear_facts(const ear& claims, std::chrono::system_clock::time_point now) {
  std::string submodules;
  auto status = trust_tier::none;
  std::array<int, trust_claims.size()> worst{};
  json policy_ids = json::array();
  for (const auto& [name, appraisal] : claims.submodules) {
    submodules += (submodules.empty() ? "" : ", ") + name;
    status = std::max(status, appraisal.status);
    for (std::size_t i = 0; i < worst.size(); ++i) {
      worst[i] = worse(worst[i], appraisal.vector[i]);
    }
    for (const auto& id : appraisal.policy_ids) {
      policy_ids.push_back(id);
    }
  }
  json vector;
  for (std::size_t i = 0; i < worst.size(); ++i) {
    vector[std::string(trust_claims[i])] = worst[i];
  }
  // A Verifier whose clock is a little ahead has made it just now.
  const auto age = std::chrono::system_clock::to_time_t(now) - claims.issued_at;
  return {{"profile", claims.profile},   {"developer", claims.developer},
          {"build", claims.build},       {"age_s", std::max<std::int64_t>(age, 0)},
          {"submodule", submodules},     {"status", to_string(status)},
          {"vector", std::move(vector)}, {"policy_ids", std::move(policy_ids)}};
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
