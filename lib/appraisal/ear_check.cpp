#include "appraisal/ear_check.hpp"

#include "formats/ear_token.hpp"

#include <algorithm>

namespace atls {
namespace {

std::string join(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) {
    out.append(out.empty() ? "" : ", ").append(value);
  }
  return out;
}

result<void> check_profile(const ear& claims, const result_binding& binding) {
  if (std::ranges::find(binding.profiles, claims.profile) == binding.profiles.end()) {
    return failure(errc::ear_profile, "found \"" + claims.profile + "\"");
  }
  return {};
}

result<void> check_times(const ear& claims, const ear_expectations& expected) {
  const std::int64_t now = std::chrono::system_clock::to_time_t(expected.now);
  const std::int64_t skew = expected.policy.clock_skew.count();
  const auto times = [&](std::int64_t theirs) {
    return "it says " + std::to_string(theirs) + ", this clock says " + std::to_string(now) +
           "; are both clocks right?";
  };
  if (claims.issued_at > now + skew) {
    return failure(errc::ear_from_future, times(claims.issued_at));
  }
  if (claims.issued_at < now - expected.policy.max_age.count() - skew) {
    return failure(errc::ear_stale, times(claims.issued_at));
  }
  if (claims.not_before && *claims.not_before > now + skew) {
    return failure(errc::ear_not_yet_valid, times(*claims.not_before));
  }
  if (claims.expires && *claims.expires <= now - skew) {
    return failure(errc::ear_expired, times(*claims.expires));
  }
  return {};
}

result<void> check_nonce(const ear& claims, const result_binding& binding) {
  if (binding.nonce && !equal(claims.nonce, *binding.nonce)) {
    return failure(errc::ear_nonce,
                   "found " + to_hex(claims.nonce) + ", expected " + to_hex(*binding.nonce));
  }
  return {};
}

// What the Verifier says is wrong; empty if it says nothing.
std::string problem_of(const ear_appraisal& appraisal) {
  const auto& claims = appraisal.policy_claims;
  return claims.is_object() ? string_member(claims, "problem").value_or("") : "";
}

result<void> check_submodules(const ear& claims, const result_binding& binding) {
  const auto& expected = binding.submodules;
  const auto is_there = [&](const auto& one) { return claims.submodules.contains(one.name); };
  if (claims.submodules.size() == std::max<std::size_t>(expected.size(), 1) &&
      std::ranges::all_of(expected, is_there)) {
    return {};
  }
  std::vector<std::string> found;
  // Veraison has one submodule, of its scheme's name, for Evidence that it could not appraise.
  for (const auto& [name, appraisal] : claims.submodules) {
    const auto problem = problem_of(appraisal);
    found.push_back(problem.empty() ? name : name + " (" + problem + ")");
  }
  std::vector<std::string> wanted;
  for (const auto& one : expected) {
    wanted.emplace_back(one.name);
  }
  return failure(errc::ear_submodule,
                 "found " + join(found) + ", expected " + (wanted.empty() ? "one" : join(wanted)));
}

result<void> check_status(const ear_appraisal& appraisal) {
  if (appraisal.status != trust_tier::affirming) {
    const auto problem = problem_of(appraisal);
    return failure(errc::ear_not_affirming, "status " + std::string(to_string(appraisal.status)) +
                                                (problem.empty() ? "" : ": " + problem));
  }
  if (appraisal.vector_tier() > appraisal.status) {
    return failure(errc::ear_contradiction, "status affirming, its vector is " +
                                                std::string(to_string(appraisal.vector_tier())));
  }
  return {};
}

result<void> check_key(const ear_appraisal& appraisal, const result_binding& binding) {
  if (binding.leaf_spki && !equal(appraisal.attested_key, *binding.leaf_spki)) {
    return failure(errc::ear_key_mismatch, appraisal.attested_key.empty() ? "it names no key" : "");
  }
  return {};
}

// What the Verifier says it has appraised, beside what it was given.
result<void> check_annotated(const ear_appraisal& appraisal, const result_binding& binding) {
  if (!binding.annotated) {
    return {};
  }
  const json& found = appraisal.annotated_evidence;
  if (!found.is_object()) {
    return failure(errc::ear_evidence, "it has no annotated evidence");
  }
  const auto& [tee, report_data] = *binding.annotated;
  if (const auto theirs = string_member(found, "report_data"); theirs != report_data) {
    return failure(errc::ear_evidence,
                   "report_data is " + theirs.value_or("absent") + ", expected " + report_data);
  }
  if (const auto tees = tees_in(found); tees != std::vector{tee}) {
    return failure(errc::ear_evidence, "it is about " + join(tees) + ", expected " + tee);
  }
  return {};
}

result<void> check_verifier_id(const ear& claims, const result_policy& policy) {
  const auto differs = [](const std::string& pinned, const std::string& found) {
    return !pinned.empty() && found != pinned;
  };
  if (differs(policy.verifier_developer, claims.developer) ||
      differs(policy.verifier_build, claims.build)) {
    return failure(errc::ear_verifier_id,
                   "found \"" + claims.developer + "\", \"" + claims.build + "\"");
  }
  return {};
}

result<void> check_policy_id(const ear_appraisal& appraisal, const result_policy& policy) {
  const auto& wanted = policy.policy_id;
  if (!wanted.empty() &&
      std::ranges::find(appraisal.policy_ids, wanted) == appraisal.policy_ids.end()) {
    return failure(errc::ear_policy_id,
                   "found " + join(appraisal.policy_ids) + ", expected " + wanted);
  }
  return {};
}

}  // namespace

std::vector<std::string> tees_in(const json& annotated_evidence) {
  std::vector<std::string> out;
  for (const auto& [name, value] : annotated_evidence.items()) {
    const bool is_claims = name == "runtime_data_claims" || name == "init_data_claims";
    if (value.is_object() && !is_claims) {
      out.push_back(name);
    }
  }
  return out;
}

result<void> result_policy::check_origin(const ear& claims) const {
  ATLS_CHECK(check_verifier_id(claims, *this));
  for (const auto& [name, appraisal] : claims.submodules) {
    ATLS_CHECK(check_policy_id(appraisal, *this));
  }
  return {};
}

result<void> check_vector(const ear_appraisal& appraisal, const submodule_shape& shape) {
  const auto differs = [&](std::size_t entry, const char* expected) {
    return failure(errc::policy_vector, std::string(trust_claims[entry]) + " is " +
                                            std::to_string(appraisal.vector[entry]) +
                                            ", expected " + expected);
  };
  for (const auto entry : shape.affirmed) {
    if (tier_of(appraisal.vector[entry]) != trust_tier::affirming) {
      return differs(entry, "2 to 31");
    }
  }
  for (const auto entry : shape.recognised) {
    if (appraisal.vector[entry] != 2) {
      return differs(entry, "2");
    }
  }
  return {};
}

result<verified_ear> check_ear(std::string token, const ear_expectations& expected) {
  ATLS_TRY(auto claims, read_verified_ear(token, expected.key));
  const auto& binding = expected.binding;
  ATLS_CHECK(check_profile(claims, binding));
  ATLS_CHECK(check_times(claims, expected));
  ATLS_CHECK(check_nonce(claims, binding));
  ATLS_CHECK(check_submodules(claims, binding));
  for (const auto& [name, appraisal] : claims.submodules) {
    ATLS_CHECK(check_status(appraisal));
    ATLS_CHECK(check_key(appraisal, binding));
    ATLS_CHECK(check_annotated(appraisal, binding));
  }
  for (const auto& shape : binding.submodules) {
    ATLS_CHECK(check_vector(claims.submodules.find(shape.name)->second, shape));
  }
  ATLS_CHECK(expected.policy.check_origin(claims));
  return verified_ear(std::move(claims), std::move(token), expected.policy.max_age);
}

result<verified_ear> check_ear(const std::string& token, const jws_keys& keys,
                               const result_binding& binding, const result_policy& policy,
                               std::chrono::system_clock::time_point now) {
  result<verified_ear> out = failure(errc::ear_signature, "no key is known");
  for (const auto& key : keys) {
    out = check_ear(token, {*key, binding, policy, now});
    if (out || !is_for_another_key(out.error().code)) {
      break;
    }
  }
  return out;
}

bool is_for_another_key(errc reason) noexcept {
  return reason == errc::ear_signature || reason == errc::ear_algorithm;
}

}  // namespace atls
