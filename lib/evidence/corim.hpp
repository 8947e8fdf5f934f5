// CoRIM (draft-ietf-rats-corim): the envelope, and what PARSEC_TPM appraisal needs from it.
#pragma once

#include "evidence/cbor.hpp"
#include "evidence/tpm_structures.hpp"

#include <map>

namespace atls {

/// corim-map, profile and CoMIDs only.
struct corim {
  /// Text, or 16 bytes as hexadecimal.
  std::string id;
  /// Empty if absent.
  std::string profile;
  /// Decoded concise-mid-tags.
  std::vector<cbor::item> comids;
};

/// Tag 501 around a corim-map.
result<corim> parse_corim(bytes_view input);

/// COSE_Sign1 (tag 18) around a CoRIM. The signature is NOT checked.
struct signed_corim {
  std::int64_t algorithm = 0;
  std::string content_type;
  bytes kid;
  corim content;
};
result<signed_corim> parse_unverified_signed_corim(bytes_view input);

/// Endorsements of the profile "tag:github.com/parallaxsecond,2023-03-03:tpm".
struct parsec_tpm_endorsements {
  static constexpr std::string_view profile = "tag:github.com/parallaxsecond,2023-03-03:tpm";

  /// An AK, known by its kid, on a platform of a class.
  struct trust_anchor {
    bytes class_id;
    bytes kid;
    bytes ak_spki;
    bool operator==(const trust_anchor&) const = default;
  };
  /// PCR number and bank to digest, for a class of platforms.
  struct reference_values {
    bytes class_id;
    std::map<std::pair<unsigned, tpm_hash>, bytes> digests;
    bool operator==(const reference_values&) const = default;
  };

  std::vector<trust_anchor> trust_anchors;
  std::vector<reference_values> references;

  static result<parsec_tpm_endorsements> from_corim(const corim& source);

  /// How the kid is written as the environment's instance.
  enum class instance_form {
    tagged_bytes,  // tag 560: Veraison services v0.0.2603 and later
    ueid           // tag 550: before
  };
  /// One CoRIM with a CoMID for the trust anchors and one for the reference values.
  bytes encode(instance_form form) const;
};

/// 16 bytes from and to "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
std::optional<bytes> parse_uuid(std::string_view text);
std::string format_uuid(bytes_view uuid);
/// The same for the same seed: UUID version 8 (RFC 9562 section 5.8) of its SHA-256.
bytes uuid_from(bytes_view seed);

}  // namespace atls
