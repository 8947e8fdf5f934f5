// Whether an Attestation Result says, credibly, that this peer is to be trusted. Pure: no I/O.
#pragma once

#include "attestation/verified_ear.hpp"
#include "dialects/result_binding.hpp"
#include "formats/jose.hpp"

namespace atls {

/// What the local policy demands of every Attestation Result, whoever made it.
struct result_policy {
  std::chrono::seconds max_age{60};
  std::chrono::seconds clock_skew{5};
  /// Pinned if not empty.
  std::string verifier_developer;
  std::string verifier_build;
  std::string policy_id;

  /// ear_verifier_id or ear_policy_id.
  result<void> check_origin(const ear& claims) const;
};

struct ear_expectations {
  /// The key and algorithm from the configuration; never from the token.
  const jws_key& key;
  const result_binding& binding;
  const result_policy& policy;
  std::chrono::system_clock::time_point now;
};

/// Of a JWT or a CWT in base64url: signature, profile, times, nonce, submodule, status, key,
/// annotated evidence, trust vector, who made it by which policy. Each failing check has its own
/// reason.
result<verified_ear> check_ear(std::string token, const ear_expectations& expected);

/// The same by the first of the keys that signed it; ear_signature if there is none.
result<verified_ear> check_ear(
    const std::string& token, const jws_keys& keys, const result_binding& binding,
    const result_policy& policy,
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

/// A submodule's trust vector says what its shape demands; policy_vector otherwise.
result<void> check_vector(const ear_appraisal& appraisal, const submodule_shape& shape);

/// The TEEs that Trustee's annotated evidence is about: members that are objects, and no claims.
std::vector<std::string> tees_in(const json& annotated_evidence);

/// Whether a result that was refused for this may have been signed by a key that is not known yet.
bool is_for_another_key(errc reason) noexcept;

}  // namespace atls
