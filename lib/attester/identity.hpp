// The attestation identity of this machine as it is kept in the state directory.
#pragma once

#include "tpm/device.hpp"

#include <filesystem>

namespace atls {

/// A key of the TPM: wrapped by the storage root key in a file, at a persistent handle, or made
/// anew each time of a template that the machine's maker left.
struct stored_key {
  /// What holds it where the two numbers are 0.
  tpm::key_blobs blobs;
  std::uint32_t persistent_handle = 0;
  /// An NV index.
  std::uint32_t made_from = 0;
  bytes spki;

  result<tpm::key_handle> load(tpm::device& device, const tpm::key_access& access) const;
};

/// What `atls provision` made; the file identity.json.
struct identity {
  stored_key ak;
  stored_key tik;
  /// Of both keys, but of none that is made from a template; empty in version 1, and where a
  /// systemd credential holds it.
  bytes authorization;
  tpm::curve tik_curve = tpm::curve::p256;
  /// Whose hash the AK signs with.
  tpm_hash bank = tpm_hash::sha256;
  /// The platform's class in the endorsements, a UUID.
  bytes class_id;
  /// Of version 1: its keys are in the owner hierarchy and have no authorisation.
  bool is_outdated = false;

  static constexpr std::string_view file_name = "identity.json";

  /// not_provisioned if there is none, identity_invalid if it cannot be read.
  static result<identity> load(const std::filesystem::path& state_dir);
  /// What the file holds.
  std::string text() const;

  /// config_invalid unless Verifiers accept the AK's quote over these PCRs: the digest in it is
  /// made with the hash that the AK signs with (TPM 2.0 Part 3 section 18.4), they make it with the
  /// bank's.
  result<void> check_pcrs(const pcr_selection& pcrs) const;

  /// What the use of both keys takes; identity_invalid if a credential is needed and there is none.
  result<tpm::key_access> access() const;
};

/// The systemd credential with the keys' authorisation, for which identity.json then has no place:
/// a file of $CREDENTIALS_DIRECTORY. Empty if there is none.
std::filesystem::path authorization_credential();
/// Its 64 hexadecimal digits as bytes.
result<bytes> read_authorization_credential();

}  // namespace atls
