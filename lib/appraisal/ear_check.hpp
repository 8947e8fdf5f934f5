// Whether an Attestation Result says, credibly, that this peer is to be trusted. Pure: no I/O.
#pragma once

#include "formats/ear.hpp"
#include "formats/jose.hpp"

#include <chrono>

namespace atls {

struct ear_expectations {
  /// The key and algorithm from the configuration; never from the token.
  const jws_key& key;
  /// The nonce of the Verifier session: the binder.
  bytes_view nonce;
  /// DER SubjectPublicKeyInfo that akpub must equal.
  bytes_view leaf_spki;
  /// The one submodule there must be.
  std::string_view submodule;
  std::chrono::seconds max_age{60};
  std::chrono::seconds clock_skew{5};
  /// Pinned if not empty.
  std::string verifier_developer;
  std::string verifier_build;
  std::string policy_id;
  std::chrono::system_clock::time_point now;
};

/// An Attestation Result that passed every check. Only check_ear makes one.
class verified_ear {
 public:
  const ear& claims() const noexcept { return claims_; }
  const std::string& token() const noexcept { return token_; }
  /// Its expiry, or max_age after it was issued, whichever is first.
  std::chrono::system_clock::time_point valid_until() const noexcept { return valid_until_; }

 private:
  friend result<verified_ear> check_ear(std::string token, const ear_expectations& expected);
  verified_ear(ear claims, std::string token, std::chrono::seconds max_age);

  ear claims_;
  std::string token_;
  std::chrono::system_clock::time_point valid_until_;
};

/// Step 6 of the appraisal, of a JWT or a CWT in base64url: signature, profile, times, nonce,
/// submodule, status, trust vector, key. Each failing check has its own reason.
result<verified_ear> check_ear(std::string token, const ear_expectations& expected);

/// ear_verifier_id; what is empty is not pinned.
result<void> check_verifier_id(const ear& claims, const std::string& developer,
                               const std::string& build);
/// ear_policy_id; empty is not pinned.
result<void> check_policy_id(const ear_appraisal& appraisal, const std::string& policy_id);

}  // namespace atls
