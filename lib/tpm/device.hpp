// One TPM 2.0 over tpm2-tss ESYS. Used by one thread at a time; every call blocks it.
#pragma once

#include "evidence/tpm_structures.hpp"

#include <map>
#include <memory>

struct ESYS_CONTEXT;

namespace atls::tpm {

enum class curve { p256, p384 };

/// "P-256" or "P-384".
std::string_view name_of(curve c) noexcept;
std::optional<curve> curve_from_name(std::string_view name) noexcept;
/// The hash that goes with the curve in ECDSA: SHA-256 or SHA-384.
tpm_hash hash_of(curve c) noexcept;

enum class key_purpose {
  /// Restricted signing: signs only what the TPM itself made (the AK).
  attestation,
  /// Signs any digest (the TIK).
  tls_identity
};

/// A key outside the TPM: TPM2B_PUBLIC and TPM2B_PRIVATE (wrapped by its parent), as marshalled.
struct key_blobs {
  bytes public_area;
  bytes private_area;
};

/// A key inside the TPM. Valid only with the device that made it.
struct key_handle {
  std::uint32_t esys = 0;
  /// TPMT_PUBLIC, marshalled without a size.
  bytes public_area;
  bytes spki;
};

/// TPMS_ATTEST and TPMT_SIGNATURE, marshalled.
struct statement {
  bytes attest;
  bytes signature;
};

/// Failures are tpm_unavailable, tpm_permission, tpm_lockout, tpm_pcr_bank or tpm_failed, with the
/// TPM's own words in the detail. After tpm_unavailable the device is of no more use.
class device {
 public:
  /// `tcti` as tpm2-tss names them: "device:/dev/tpmrm0", "tabrmd:", "swtpm:host=...,port=...".
  static result<std::unique_ptr<device>> open(const std::string& tcti);
  ~device();
  device(const device&) = delete;
  device& operator=(const device&) = delete;

  /// A new key under the storage root key of the owner hierarchy (TCG template, P-256).
  result<key_blobs> create_key(key_purpose purpose, curve c);
  result<key_handle> load_key(const key_blobs& blobs);
  result<key_handle> open_persistent(std::uint32_t handle);
  /// Keeps a loaded key at a persistent handle (0x81000000 to 0x817fffff).
  result<void> make_persistent(const key_handle& key, std::uint32_t handle);
  result<void> remove_persistent(std::uint32_t handle);
  void flush(const key_handle& key) noexcept;

  /// TPM2_Certify of `object` by `signer`; `qualifying_data` becomes extraData.
  result<statement> certify(const key_handle& object, const key_handle& signer,
                            bytes_view qualifying_data);
  /// TPM2_Quote (TPM 2.0 Part 3 section 18.4).
  result<statement> quote(const key_handle& signer, const pcr_selection& pcrs,
                          bytes_view qualifying_data);
  /// TPM2_Sign of a digest with an unrestricted ECDSA key: DER ECDSA-Sig-Value.
  result<bytes> sign(const key_handle& key, tpm_hash hash, bytes_view digest);

  /// PCR number to value. tpm_pcr_bank if the bank is absent or not allocated.
  result<std::map<unsigned, bytes>> read_pcrs(const pcr_selection& pcrs);

  /// TPM2_PCR_Extend (TPM 2.0 Part 3 section 22.2) by a digest of the bank's size.
  result<void> extend_pcr(unsigned pcr, tpm_hash bank, bytes_view digest);

  /// Whether the dictionary-attack lockout is on.
  result<bool> in_lockout();

  /// Commands sent since the device was opened.
  std::uint64_t commands() const noexcept { return commands_; }

 private:
  device() = default;
  result<std::uint32_t> storage_root_key();
  result<key_handle> describe_key(std::uint32_t esys);
  failure failed(const char* command, std::uint32_t code) const;

  void* tcti_ = nullptr;  // TSS2_TCTI_CONTEXT, an opaque type
  ESYS_CONTEXT* esys_ = nullptr;
  std::string name_;
  std::vector<std::uint32_t> loaded_;  // transient objects, flushed at the end
  std::uint64_t commands_ = 0;
};

}  // namespace atls::tpm
