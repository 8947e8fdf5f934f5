// What ties an Attestation Result to what was appraised.
#pragma once

#include "schemes/evidence_scheme.hpp"

#include <optional>
#include <string>
#include <vector>

namespace atls {

/// The annotated evidence that Trustee puts into its results.
struct annotated_evidence {
  /// The only TEE there may be, by the name of its member.
  std::string tee;
  /// The member "report_data", as this TEE's is written.
  std::string report_data;
};

/// How the results of one Verifier about one piece of Evidence must look.
struct result_binding {
  /// Any of these as eat_profile.
  std::vector<std::string_view> profiles;
  /// The submodules there must be, and no others; empty: exactly one, whatever its name and vector.
  std::vector<submodule_shape> submodules;
  /// What eat_nonce must be; nullopt: it is not compared.
  std::optional<bytes> nonce;
  /// DER SubjectPublicKeyInfo that akpub must be; nullopt: results of this kind name no key.
  std::optional<bytes> leaf_spki;
  /// nullopt: it is not looked at.
  std::optional<annotated_evidence> annotated;
};

}  // namespace atls
