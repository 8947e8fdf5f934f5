// TDX quotes, versions 4 and 5 (Intel, "TDX DCAP Quoting Library API", appendix A.3 and A.4): a
// TD's report, signed by the platform's Quoting Enclave, whose key a PCK certificate vouches for.
#pragma once

#include "schemes/ecdsa_quote.hpp"

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

struct tdx_quote {
  static constexpr std::size_t report_data_bytes = 64;

  std::uint16_t version = 0;
  td_report report;
  /// Header and report, as they were signed.
  bytes signed_part;
  quote_signature signed_by;
};

/// evidence_malformed: another structure, version, TEE, vendor or length; signature_unsupported for
/// a key that is not on P-256, or certification data other than a chain.
result<tdx_quote> parse_tdx_quote(bytes_view input);

/// check_quote_signature(). tdx_signature.
result<void> check_signatures(const tdx_quote& quote);

}  // namespace atls
