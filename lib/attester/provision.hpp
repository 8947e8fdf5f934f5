// Making the attestation identity of a machine, and the endorsements that let a Verifier know it.
#pragma once

#include "attester/identity.hpp"
#include "evidence/corim.hpp"

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
};

struct provision_report {
  bool created = false;
  bytes kid;
  std::vector<std::filesystem::path> files;
};

/// Creates AK and TIK, proves that they work, writes identity.json and the endorsements. Leaves
/// everything as it was if any of it fails, or if a usable identity exists already.
result<provision_report> provision(const provision_options& options);

/// Writes the endorsements of an existing identity with the PCRs as they are now.
result<provision_report> write_endorsements(const std::string& tcti,
                                            const std::filesystem::path& state_dir,
                                            const pcr_selection& pcrs);

}  // namespace atls
