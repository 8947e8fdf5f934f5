// The attestation report of SEV-SNP (AMD 56860, table "ATTESTATION_REPORT"), versions 2 to 5. All
// numbers in it are little-endian.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <array>

namespace atls {

/// Versions of the firmware's parts, told apart by the product: they stand in other bytes since
/// Turin.
struct snp_tcb {
  std::uint8_t bootloader = 0;
  std::uint8_t tee = 0;
  std::uint8_t snp = 0;
  std::uint8_t microcode = 0;
  /// Since Turin.
  std::optional<std::uint8_t> fmc;

  bool operator==(const snp_tcb&) const = default;
  /// No part is older.
  bool covers(const snp_tcb& other) const noexcept;
};
/// "bootloader 4, tee 0, snp 22, microcode 213".
std::string to_string(const snp_tcb& tcb);

enum class snp_product { unknown, milan, genoa, turin };
/// "Milan"; "" if unknown.
std::string_view name_of(snp_product product) noexcept;
/// By the beginning of a VCEK's product name, such as "Milan-B0".
snp_product product_from_name(std::string_view name) noexcept;

/// Bits of POLICY.
namespace snp_policy {
inline constexpr std::uint64_t smt = std::uint64_t{1} << 16;
inline constexpr std::uint64_t must_be_one = std::uint64_t{1} << 17;
inline constexpr std::uint64_t migrate_ma = std::uint64_t{1} << 18;
inline constexpr std::uint64_t debug = std::uint64_t{1} << 19;
inline constexpr std::uint64_t single_socket = std::uint64_t{1} << 20;
}  // namespace snp_policy

/// Bits of PLATFORM_INFO.
namespace snp_platform {
inline constexpr std::uint64_t smt = 1U << 0;
inline constexpr std::uint64_t tsme = 1U << 1;
inline constexpr std::uint64_t ecc = 1U << 2;
inline constexpr std::uint64_t ciphertext_hiding = 1U << 4;
inline constexpr std::uint64_t alias_check = 1U << 5;
}  // namespace snp_platform

/// Which key signed the report.
enum class snp_signing_key { vcek, vlek };

struct snp_report {
  static constexpr std::size_t size_bytes = 1184;
  static constexpr std::size_t report_data_bytes = 64;
  static constexpr std::size_t measurement_bytes = 48;
  static constexpr std::size_t chip_id_bytes = 64;

  std::uint32_t version = 0;
  std::uint32_t guest_svn = 0;
  std::uint64_t policy = 0;
  bytes family_id;
  bytes image_id;
  std::uint32_t vmpl = 0;
  std::uint64_t platform_info = 0;
  snp_signing_key signed_by = snp_signing_key::vcek;
  /// The host hides the chip: chip_id is zero.
  bool is_chip_masked = false;
  bool has_author_key = false;
  bytes report_data;
  bytes measurement;
  bytes host_data;
  bytes id_key_digest;
  bytes author_key_digest;
  bytes report_id;
  /// All 0xff: there is no migration agent.
  bytes report_id_of_migration_agent;
  bytes chip_id;
  /// As the report says from version 3 on; unknown before.
  snp_product product = snp_product::unknown;

  /// TCB_VERSION as it stands; read by tcb_from().
  std::uint64_t current_tcb = 0;
  std::uint64_t reported_tcb = 0;
  std::uint64_t committed_tcb = 0;
  std::uint64_t launch_tcb = 0;

  /// What is signed, and the signature in DER.
  bytes signed_part;
  bytes signature;

  bool has_migration_agent() const noexcept;
};

snp_tcb tcb_from(std::uint64_t tcb_version, snp_product product) noexcept;

/// evidence_malformed: another size or version, reserved bytes or bits that are not zero, another
/// signature algorithm, a signature that is no number. signature_unsupported: signed by neither
/// VCEK nor VLEK.
result<snp_report> parse_snp_report(bytes_view input);

}  // namespace atls
