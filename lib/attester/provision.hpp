// Making the attestation identity of a machine, and the endorsements that let a Verifier know it.
#pragma once

#include "attester/identity.hpp"
#include "formats/corim.hpp"

namespace atls {

struct provision_options {
  std::string tcti;
  std::filesystem::path state_dir;
  tpm::curve tik_curve = tpm::curve::p256;
  /// What the reference values cover; the bank also chooses the AK's curve.
  pcr_selection pcrs;
  /// The platform's class; empty: derived from the AK, so that each machine is its own class.
  bytes class_id;
  /// Keeps AK and TIK at this handle and the next one; 0: in the state directory.
  std::uint32_t persistent_handle = 0;
  /// The NV index with the template of an AK that the machine's maker certified (GCP: 0x01c10003);
  /// 0: an AK of our own.
  std::uint32_t ak_template = 0;
  corim_form form = default_corim_form;
};

/// Two CoRIMs, because a Verifier must get a trust anchor once only (Veraison appraises no machine
/// of which it has two), and reference values whenever the PCRs have changed.
inline constexpr const char* trust_anchor_file = "trust-anchor.cbor";
inline constexpr const char* reference_values_file = "reference-values.cbor";
/// The AK, for other programs.
inline constexpr const char* public_key_file = "ak.pem";

struct provision_report {
  bool created = false;
  bytes kid;
  std::vector<std::filesystem::path> files;
};

/// Creates AK and TIK, proves that they work, writes identity.json, the endorsements and the AK's
/// public key (ak.pem). Leaves everything as it was if any of it fails, or if a usable identity
/// exists already; state_busy if this is done already.
result<provision_report> provision(const provision_options& options);

struct endorse_options {
  std::string tcti;
  std::filesystem::path state_dir;
  pcr_selection pcrs;
  corim_form form = default_corim_form;
  /// Writes the trust anchor too, for a Verifier that does not have it, and ak.pem.
  bool with_trust_anchor = false;
};

struct endorse_report {
  bytes kid;
  struct corim_file {
    std::filesystem::path path;
    bytes content;
  };
  /// What is for the Verifier.
  std::vector<corim_file> files;
  /// PCRs whose value is another than in the reference values that were there before.
  struct change {
    unsigned pcr;
    bytes before;
    bytes now;
  };
  std::vector<change> changes;
};

/// Writes the reference values of an existing identity, the PCRs as they are now.
result<endorse_report> endorse(const endorse_options& options);

}  // namespace atls
