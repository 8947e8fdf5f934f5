// The TPM structures inside Evidence (TPM 2.0 Part 2), parsed by tss2-mu and nothing trailing.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <array>
#include <variant>

namespace atls {

/// TPM_ALG_ID of the hashes that count (TPM 2.0 Part 2 section 6.3).
enum class tpm_hash : std::uint16_t {
  sha1 = 0x0004,
  sha256 = 0x000b,
  sha384 = 0x000c,
  sha512 = 0x000d
};

/// "sha256", or nullopt for a hash we do not use (SHA-1 among them).
std::optional<std::string_view> name_of(tpm_hash hash) noexcept;
std::optional<tpm_hash> hash_from_name(std::string_view name) noexcept;

/// A bank and a set of PCRs in it; bit n of `mask` is PCR n.
struct pcr_selection {
  tpm_hash bank = tpm_hash::sha256;
  std::uint32_t mask = 0;

  bool contains(unsigned pcr) const noexcept { return pcr < 32 && (mask >> pcr & 1) != 0; }
  bool operator==(const pcr_selection&) const = default;
};

/// PCR 16 (debug) and 23 (application) can be reset from any locality: they never count.
inline constexpr std::uint32_t resettable_pcrs = 1u << 16 | 1u << 23;

/// PolicyDigest of TPM2_PolicyAuthValue alone (TPM 2.0 Part 3 section 23.17):
/// SHA-256 of 32 zero bytes and the command's code. A key with this policy and without userWithAuth
/// signs only for who proves its authorisation.
inline constexpr std::array<std::uint8_t, 32> auth_value_policy = {
    0x8f, 0xcd, 0x21, 0x69, 0xab, 0x92, 0x69, 0x4e, 0x0c, 0x63, 0x3f, 0x1a, 0xb7, 0x72, 0x84, 0x2b,
    0x82, 0x41, 0xbb, 0xc2, 0x02, 0x88, 0x98, 0x1f, 0xc7, 0xac, 0x1e, 0xdd, 0xc1, 0xfd, 0xdb, 0x0e};

/// The PCRs that are quoted and required unless something else is configured: firmware, boot loader
/// and its configuration, Secure Boot, and 9 for the kernel's command line and initrd.
inline constexpr std::string_view default_pcrs = "sha256:0,1,2,3,4,5,6,7,9";

/// "sha256:0,1,2"; the failure says what was found. PCRs 0 to 23.
result<pcr_selection> parse_pcr_selection(std::string_view text);
std::string to_string(const pcr_selection& selection);

/// TPMT_SIGNATURE with ECDSA; r and s as unsigned integers.
struct ecdsa_signature {
  tpm_hash hash = tpm_hash::sha256;
  bytes r;
  bytes s;

  /// ECDSA-Sig-Value (RFC 3279 section 2.2.3).
  bytes der() const;
};
/// `unsupported` for other algorithms.
result<ecdsa_signature> parse_tpm_signature(bytes_view input,
                                            errc unsupported = errc::evidence_malformed);

/// TPMT_SIGNATURE with RSASSA and SHA-256: the signature as RFC 8017 section 8.2 has it.
/// `unsupported` for other algorithms.
result<bytes> parse_tpm_rsassa(bytes_view input, errc unsupported = errc::evidence_malformed);

/// TPMA_OBJECT bits (TPM 2.0 Part 2 section 8.3).
namespace tpm_attribute {
inline constexpr std::uint32_t fixed_tpm = 0x00000002;
inline constexpr std::uint32_t fixed_parent = 0x00000010;
inline constexpr std::uint32_t sensitive_data_origin = 0x00000020;
inline constexpr std::uint32_t user_with_auth = 0x00000040;
inline constexpr std::uint32_t restricted = 0x00010000;
inline constexpr std::uint32_t decrypt = 0x00020000;
inline constexpr std::uint32_t sign = 0x00040000;
}  // namespace tpm_attribute

/// The same bits by their names in that section, and those that nothing here asks for.
inline constexpr std::pair<std::uint32_t, std::string_view> attribute_names[] = {
    {tpm_attribute::fixed_tpm, "fixedTPM"},
    {0x00000004, "stClear"},
    {tpm_attribute::fixed_parent, "fixedParent"},
    {tpm_attribute::sensitive_data_origin, "sensitiveDataOrigin"},
    {tpm_attribute::user_with_auth, "userWithAuth"},
    {0x00000080, "adminWithPolicy"},
    {0x00000400, "noDA"},
    {0x00000800, "encryptedDuplication"},
    {tpm_attribute::restricted, "restricted"},
    {tpm_attribute::decrypt, "decrypt"},
    {tpm_attribute::sign, "sign"},
};

/// "P-256" or "P-384": the curve of a DER SubjectPublicKeyInfo (RFC 5480 section 2), if it is one
/// of these with an uncompressed point.
std::optional<std::string_view> curve_of(bytes_view spki) noexcept;

/// TPMT_PUBLIC of an ECC key on P-256 or P-384.
struct ecc_public {
  /// "P-256" or "P-384".
  std::string_view curve;
  tpm_hash name_algorithm = tpm_hash::sha256;
  std::uint32_t attributes = 0;
  /// The digest that a policy session must have to use it; empty: there is none.
  bytes auth_policy;
  /// DER SubjectPublicKeyInfo.
  bytes spki;
};
/// `unsupported` for other key types and curves.
result<ecc_public> parse_tpm_public(bytes_view input, errc unsupported = errc::evidence_malformed);
/// The Name of an object: nameAlg || H(publicArea) (TPM 2.0 Part 1 section 16). `unsupported` if it
/// is not made with SHA-256, -384 or -512.
result<bytes> name_of_public(bytes_view public_area, tpm_hash name_algorithm, errc unsupported);

/// TPMS_ATTEST. `magic` and `type` are as found: the caller judges them.
struct tpm_attest {
  static constexpr std::uint32_t generated_by_tpm = 0xff544347;
  static constexpr std::uint16_t certify_type = 0x8017;
  static constexpr std::uint16_t quote_type = 0x8018;

  struct certify {
    /// Hash algorithm (2 bytes, big-endian) and digest of the certified public area.
    bytes name;
  };
  struct quote {
    std::vector<pcr_selection> selections;
    bytes pcr_digest;
  };

  std::uint32_t magic = 0;
  std::uint16_t type = 0;
  bytes qualified_signer;
  bytes extra_data;
  std::uint64_t clock_ms = 0;
  std::uint32_t reset_count = 0;
  std::uint32_t restart_count = 0;
  std::uint64_t firmware_version = 0;
  std::variant<std::monostate, certify, quote> attested;
};
result<tpm_attest> parse_tpm_attest(bytes_view input);

/// What a quote over `values` (ascending PCR order) holds as pcrDigest.
bytes pcr_digest(tpm_hash bank, const std::vector<bytes>& values);

}  // namespace atls
