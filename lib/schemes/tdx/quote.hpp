// TDX quotes, versions 4 and 5 (Intel, "TDX DCAP Quoting Library API", appendix A.3 and A.4): a
// TD's report, signed by the platform's Quoting Enclave, whose key a PCK certificate vouches for.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <array>

namespace atls {

/// Bits of TDATTRIBUTES.
namespace td_attribute {
/// "TD under debug": any of them opens the TD to its host.
inline constexpr std::uint64_t under_debug = 0xff;
inline constexpr std::uint64_t sept_ve_disable = std::uint64_t{1} << 28;
inline constexpr std::uint64_t pks = std::uint64_t{1} << 30;
inline constexpr std::uint64_t key_locker = std::uint64_t{1} << 31;
inline constexpr std::uint64_t perfmon = std::uint64_t{1} << 63;
}  // namespace td_attribute

/// What a TD's report says.
struct td_report {
  bytes tee_tcb_svn;
  bytes mrseam;
  bytes mrsignerseam;
  std::uint64_t seam_attributes = 0;
  std::uint64_t attributes = 0;
  std::uint64_t xfam = 0;
  bytes mrtd;
  bytes mrconfigid;
  bytes mrowner;
  bytes mrownerconfig;
  std::array<bytes, 4> rtmr;
  bytes report_data;
  /// Since TDX 1.5; empty before.
  bytes tee_tcb_svn2;
  bytes mrservicetd;
};

/// What the Quoting Enclave says of itself.
struct qe_report {
  bytes cpu_svn;
  std::uint32_t misc_select = 0;
  bytes attributes;
  bytes mrenclave;
  bytes mrsigner;
  std::uint16_t product_id = 0;
  std::uint16_t security_version = 0;
  bytes report_data;
};

struct tdx_quote {
  static constexpr std::size_t report_data_bytes = 64;
  static constexpr std::size_t longest_bytes = 32 * 1024;

  std::uint16_t version = 0;
  td_report report;
  qe_report enclave;

  /// What the attestation key signs, and its signature (r || s).
  bytes signed_part;
  bytes signature;
  /// x || y on P-256.
  bytes attestation_key;
  /// What the PCK signs, its signature, and what binds the attestation key to it.
  bytes enclave_report;
  bytes enclave_signature;
  bytes authentication_data;
  /// PEM: PCK leaf, its CA, root. Nobody has verified it.
  std::string pck_chain;
};

/// evidence_malformed: another structure, version, TEE, vendor or length; signature_unsupported for
/// a key that is not on P-256, or certification data other than a chain.
result<tdx_quote> parse_tdx_quote(bytes_view input);

/// The quote's own signatures, as far as it brings the keys: the attestation key signed the report,
/// the enclave vouches for that key, and the leaf of the chain signed the enclave's report.
/// tdx_signature. Who issued the chain is not looked at.
result<void> check_signatures(const tdx_quote& quote);

}  // namespace atls
