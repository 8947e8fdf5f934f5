#include "appraisal/ear_check.hpp"

#include "formats/cose.hpp"

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

result<void> check_times(const ear& claims, const ear_expectations& expected) {
  const std::int64_t now = std::chrono::system_clock::to_time_t(expected.now);
  const std::int64_t skew = expected.clock_skew.count();
  const auto times = [&](std::int64_t theirs) {
    return "it says " + std::to_string(theirs) + ", this clock says " + std::to_string(now) +
           "; are both clocks right?";
  };
  if (claims.issued_at > now + skew) {
    return failure(errc::ear_from_future, times(claims.issued_at));
  }
  if (claims.issued_at < now - expected.max_age.count() - skew) {
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

result<void> check_appraisal(const ear_appraisal& appraisal, const ear_expectations& expected) {
  if (appraisal.status != trust_tier::affirming) {
    std::string detail = "status " + std::string(to_string(appraisal.status));
    if (appraisal.policy_claims.is_object()) {
      if (const auto problem = string_member(appraisal.policy_claims, "problem")) {
        detail += ": " + *problem;
      }
    }
    return failure(errc::ear_not_affirming, detail);
  }
  if (appraisal.vector_tier() > appraisal.status) {
    return failure(errc::ear_contradiction, "status affirming, its vector is " +
                                                std::string(to_string(appraisal.vector_tier())));
  }
  // What a Verifier affirms of a platform with a TPM (formats: PARSEC_TPM sets both).
  for (const std::size_t entry : {std::size_t{2}, std::size_t{4}}) {
    if (tier_of(appraisal.vector[entry]) != trust_tier::affirming) {
      return failure(errc::policy_vector, std::string(trust_claims[entry]) + " is " +
                                              std::to_string(appraisal.vector[entry]) +
                                              ", expected 2 to 31");
    }
  }
  ATLS_CHECK(check_policy_id(appraisal, expected.policy_id));
  if (!equal(appraisal.attested_key, expected.leaf_spki)) {
    return failure(errc::ear_key_mismatch);
  }
  return {};
}

// A JWT has dots; a CWT is written in base64url where JSON carries it.
result<ear> read_verified(std::string_view token, const jws_key& key) {
  if (token.find('.') != std::string_view::npos) {
    ATLS_TRY(const auto payload, verify_jws(token, key));
    return ear::parse(payload);
  }
  const auto cwt = from_any_base64(token);
  if (!cwt) {
    return failure(errc::ear_malformed, "neither a JWT nor a CWT in base64url");
  }
  ATLS_TRY(const bytes payload, verify_cwt(*cwt, key));
  ATLS_TRY(const auto claims, cbor::decode(payload, errc::ear_malformed));
  return ear::from_cbor(claims);
}

}  // namespace

result<void> check_verifier_id(const ear& claims, const std::string& developer,
                               const std::string& build) {
  if ((!developer.empty() && claims.developer != developer) ||
      (!build.empty() && claims.build != build)) {
    return failure(errc::ear_verifier_id,
                   "found \"" + claims.developer + "\", \"" + claims.build + "\"");
  }
  return {};
}

result<void> check_policy_id(const ear_appraisal& appraisal, const std::string& policy_id) {
  if (!policy_id.empty() &&
      std::ranges::find(appraisal.policy_ids, policy_id) == appraisal.policy_ids.end()) {
    return failure(errc::ear_policy_id,
                   "found " + join(appraisal.policy_ids) + ", expected " + policy_id);
  }
  return {};
}

verified_ear::verified_ear(ear claims, std::string token, std::chrono::seconds max_age)
    : claims_(std::move(claims)), token_(std::move(token)) {
  const auto limit = claims_.issued_at + max_age.count();
  valid_until_ = std::chrono::system_clock::from_time_t(
      claims_.expires ? std::min(limit, *claims_.expires) : limit);
}

result<verified_ear> check_ear(std::string token, const ear_expectations& expected) {
  ATLS_TRY(auto claims, read_verified(token, expected.key));
  if (claims.profile != ear::veraison_profile && claims.profile != ear::ietf_profile &&
      claims.profile != ear::ietf_profile_04) {
    return failure(errc::ear_profile, "found \"" + claims.profile + "\"");
  }
  ATLS_CHECK(check_times(claims, expected));
  ATLS_CHECK(check_verifier_id(claims, expected.verifier_developer, expected.verifier_build));
  if (!equal(claims.nonce, expected.nonce)) {
    return failure(errc::ear_nonce,
                   "found " + to_hex(claims.nonce) + ", expected " + to_hex(expected.nonce));
  }
  const auto submodule = claims.submodules.find(std::string(expected.submodule));
  if (claims.submodules.size() != 1 || submodule == claims.submodules.end()) {
    std::vector<std::string> names;
    for (const auto& [name, appraisal] : claims.submodules) {
      names.push_back(name);
    }
    return failure(errc::ear_submodule,
                   "found " + join(names) + ", expected " + std::string(expected.submodule));
  }
  ATLS_CHECK(check_appraisal(submodule->second, expected));
  return verified_ear(std::move(claims), std::move(token), expected.max_age);
}

}  // namespace atls
