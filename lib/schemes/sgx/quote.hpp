// SGX quotes of version 3 (Intel, "SGX ECDSA Quote Library API", appendix A.4): an enclave's
// report, signed by the platform's Quoting Enclave, whose key a PCK certificate vouches for.
#pragma once

#include "schemes/ecdsa_quote.hpp"

namespace atls {

/// Bits of the enclave's ATTRIBUTES.FLAGS.
namespace sgx_attribute {
inline constexpr std::uint64_t debug = std::uint64_t{1} << 1;
inline constexpr std::uint64_t provision_key = std::uint64_t{1} << 4;
inline constexpr std::uint64_t kss = std::uint64_t{1} << 7;
}  // namespace sgx_attribute

struct sgx_quote {
  enclave_report report;
  /// Header and report, as they were signed.
  bytes signed_part;
  quote_signature signed_by;

  /// ATTRIBUTES.FLAGS and ATTRIBUTES.XFRM of the report.
  std::uint64_t flags() const;
  std::uint64_t xfrm() const;
};

/// evidence_malformed: another structure, version, vendor or length; signature_unsupported for a
/// key that is not on P-256, or certification data other than a chain.
result<sgx_quote> parse_sgx_quote(bytes_view input);

/// check_quote_signature(). sgx_signature.
result<void> check_signatures(const sgx_quote& quote);

}  // namespace atls
