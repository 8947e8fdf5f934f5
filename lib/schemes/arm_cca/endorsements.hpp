// What a Verifier must know of Arm CCA machines, as Veraison has it in CoRIMs: platforms' keys,
// reference values of platforms and realms.
#pragma once

#include "formats/corim.hpp"
#include "formats/json.hpp"

#include <map>

namespace atls {

/// Of the profiles "tag:arm.com,2025:cca_platform#1.0.0" and "tag:arm.com,2025:cca_realm#1.0.0".
struct cca_endorsements {
  static bool is_profile(std::string_view profile) noexcept;

  /// By instance id: DER SubjectPublicKeyInfo of what signs a platform's tokens.
  std::map<bytes, bytes> platform_keys;
  /// Facts by their names below "evidence.cca" (facts.hpp).
  std::vector<json> platforms;
  std::vector<json> realms;

  /// corim_malformed.
  static result<cca_endorsements> from_corim(const corim& source);
};

}  // namespace atls
