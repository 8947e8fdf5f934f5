// What a Verifier must know of machines with a TPM: their attestation keys and reference values.
#pragma once

#include "formats/corim.hpp"
#include "formats/tpm_structures.hpp"

#include <map>

namespace atls {

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

  /// One CoRIM with a CoMID for the trust anchors and one for the reference values, as far as there
  /// are any. Equal endorsements are equal bytes.
  bytes encode(const corim_form& form = default_corim_form) const;
};

}  // namespace atls
