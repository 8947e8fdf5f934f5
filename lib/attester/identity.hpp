// The attestation identity of this machine as it is kept in the state directory.
#pragma once

#include "tpm/device.hpp"

#include <filesystem>

namespace atls {

/// A key of the TPM: wrapped by the storage root key in a file, or at a persistent handle.
struct stored_key {
  tpm::key_blobs blobs;
  std::uint32_t persistent_handle = 0;  // 0: the blobs hold the key
  bytes spki;

  result<tpm::key_handle> load(tpm::device& device) const;
};

/// What `atls provision` made; the file identity.json.
struct identity {
  stored_key ak;
  stored_key tik;
  tpm::curve tik_curve = tpm::curve::p256;
  /// The platform's class in the endorsements, a UUID.
  bytes class_id;

  static constexpr std::string_view file_name = "identity.json";

  /// not_provisioned if there is none, identity_invalid if it cannot be read.
  static result<identity> load(const std::filesystem::path& state_dir);
  /// What the file holds.
  std::string text() const;
};

}  // namespace atls
