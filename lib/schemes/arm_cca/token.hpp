// Arm CCA attestation tokens (Arm DEN 0137, "CCA attestation token"): a platform token and a realm
// token, each a COSE_Sign1, the second signed by a key that the first vouches for.
//
//   907({44234: [263, bstr], 44241: [263, bstr]}), or 399({44234: bstr, 44241: bstr})
#pragma once

#include "core/bytes.hpp"
#include "formats/jose.hpp"

#include <array>

namespace atls {

struct cca_platform {
  std::string profile;
  /// What binds it to the realm token: a hash of the realm's key.
  bytes challenge;
  bytes implementation_id;
  /// A UEID, 33 bytes.
  bytes instance_id;
  bytes config;
  /// Measurements of its software.
  std::vector<bytes> components;
  std::uint16_t lifecycle = 0;
};
/// Of a lifecycle: no debugger of the platform may look in (0x3000 to 0x30ff).
constexpr bool is_secured(std::uint16_t lifecycle) noexcept {
  return lifecycle >> 8 == 0x30;
}

struct cca_realm {
  /// 64 bytes of the realm's choice.
  bytes challenge;
  bytes personalization_value;
  bytes initial_measurement;
  std::array<bytes, 4> extensible_measurements;
  /// As carried: a COSE_Key where the token has a profile, otherwise a raw point on P-384.
  bytes public_key;
  bool is_public_key_cose = false;
  std::string public_key_hash;
};

struct cca_token {
  static constexpr std::size_t longest_bytes = 16 * 1024;

  cca_platform platform;
  cca_realm realm;
  /// The two COSE_Sign1 as they came.
  bytes platform_token;
  bytes realm_token;

  /// evidence_malformed.
  static result<cca_token> parse(bytes_view input);
};

/// What the token shows by itself: the realm's key signed the realm token, and the platform token
/// names that key. cca_signature, cca_realm_key. Who signed the platform token is not looked at.
result<void> check_realm(const cca_token& token);

}  // namespace atls
