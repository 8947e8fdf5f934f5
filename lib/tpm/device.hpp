// One TPM 2.0 over tpm2-tss ESYS. Used by one thread at a time; every call blocks it.
#pragma once

#include "formats/tpm_structures.hpp"

#include <map>
#include <memory>

struct ESYS_CONTEXT;
struct TPM2B_PUBLIC;

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

/// Whose primary key wraps a key. What a key of the owner hierarchy signs shows reset and restart
/// counts and the firmware version obfuscated (TPM 2.0 Part 1 section 36.7), in the endorsement
/// hierarchy they are true.
enum class hierarchy { owner, endorsement };

/// How a key is reached and used.
struct key_access {
  hierarchy parent = hierarchy::endorsement;
  /// At most 32 bytes, proven to the TPM in salted HMAC sessions and never sent; empty: whoever
  /// reaches the TPM uses the key.
  bytes authorization;
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
  /// Its user proves an authorisation.
  bool is_authorized = false;
  /// Its public area says so: no use without a session of policy TPM2_PolicyAuthValue.
  bool has_policy = false;
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

  /// A new key under a storage primary key (TCG template, P-256). `hash` is what an attestation
  /// key signs with, and so what a quote's digest of the PCRs is made with.
  result<key_blobs> create_key(key_purpose purpose, curve c, tpm_hash hash,
                               const key_access& access);
  result<key_handle> load_key(const key_blobs& blobs, const key_access& access);
  /// The key that the machine's maker has a template of (TPMT_PUBLIC) in an NV index: a primary key
  /// of the endorsement hierarchy, the same each time, without an authorisation.
  result<key_handle> create_from_template(std::uint32_t index);
  result<key_handle> open_persistent(std::uint32_t handle, bytes_view authorization = {});
  /// Keeps a loaded key at a persistent handle (0x81000000 to 0x817fffff).
  result<void> make_persistent(const key_handle& key, std::uint32_t handle);
  result<void> remove_persistent(std::uint32_t handle);
  void flush(const key_handle& key) noexcept;

  /// TPM2_Certify of `object` by `signer`; `qualifying_data` becomes extraData.
  result<statement> certify(const key_handle& object, const key_handle& signer,
                            bytes_view qualifying_data);
  /// The same by a key that the machine's maker left at a persistent handle, without an
  /// authorisation and of any type.
  result<statement> certify_by(std::uint32_t signer, const key_handle& object,
                               bytes_view qualifying_data);
  /// TPM2_Quote (TPM 2.0 Part 3 section 18.4).
  result<statement> quote(const key_handle& signer, const pcr_selection& pcrs,
                          bytes_view qualifying_data);
  /// TPM2_Sign of a digest with an unrestricted ECDSA key: DER ECDSA-Sig-Value.
  result<bytes> sign(const key_handle& key, tpm_hash hash, bytes_view digest);

  /// PCR number to value. tpm_pcr_bank if the bank is absent or not allocated.
  result<std::map<unsigned, bytes>> read_pcrs(const pcr_selection& pcrs);

  /// The content of an NV index (0x01000000 to 0x01ffffff) that the owner may read.
  result<bytes> read_nv(std::uint32_t index);

  /// TPM2_PCR_Extend (TPM 2.0 Part 3 section 22.2) by a digest of the bank's size.
  result<void> extend_pcr(unsigned pcr, tpm_hash bank, bytes_view digest);

  /// Whether the dictionary-attack lockout is on.
  result<bool> in_lockout();

  /// Commands sent since the device was opened.
  std::uint64_t commands() const noexcept { return commands_; }

 private:
  /// Loaded sessions, three being what every TPM has room for. ESYS_TR_NONE: not started.
  struct sessions {
    std::uint32_t object;  // HMAC, for a key that is certified or a parent
    std::uint32_t signer;  // HMAC
    std::uint32_t policy;
  };

  device() = default;
  result<std::uint32_t> create_primary(hierarchy parent, const TPM2B_PUBLIC& area);
  /// The storage key of a hierarchy.
  result<std::uint32_t> primary_key(hierarchy parent);
  result<key_handle> describe_key(std::uint32_t esys, bytes_view authorization);
  result<void> need_sessions();
  result<std::uint32_t> start_session(std::uint32_t salt_key, std::uint8_t type);
  void end_sessions() noexcept;
  /// What authorises a key: in the ADMIN role, and in the USER role of a signer.
  std::uint32_t session_for_object(const key_handle& key) const noexcept;
  result<std::uint32_t> session_for_signer(const key_handle& key);
  template <class Command>
  auto authorized(const key_handle& key, Command command) -> decltype(command());
  /// `if_denied` is what to do when the TPM wants another authorisation.
  failure failed(const char* command, std::uint32_t code,
                 std::string_view if_denied = "the key was made with another authorisation") const;

  void* tcti_ = nullptr;  // TSS2_TCTI_CONTEXT, an opaque type
  ESYS_CONTEXT* esys_ = nullptr;
  std::string name_;
  std::vector<std::uint32_t> loaded_;  // transient objects, flushed at the end
  std::optional<sessions> sessions_;
  std::uint64_t commands_ = 0;
};

}  // namespace atls::tpm
