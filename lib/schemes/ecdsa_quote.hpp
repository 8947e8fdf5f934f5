// What SGX and TDX quotes have in common (Intel, "SGX ECDSA Quote Library API", appendix A.4, and
// "TDX DCAP Quoting Library API", appendix A.3): a header, a body, and what signs the two: an
// attestation key, for which the platform's Quoting Enclave vouches, for which a PCK certificate
// vouches.
#pragma once

#include "schemes/pck_certificate.hpp"

namespace atls {

/// What an enclave's report says (sgx_report_body_t).
struct enclave_report {
  static constexpr std::size_t size_bytes = 384;

  bytes cpu_svn;
  std::uint32_t misc_select = 0;
  bytes attributes;
  bytes mrenclave;
  bytes mrsigner;
  std::uint16_t product_id = 0;
  std::uint16_t security_version = 0;
  bytes report_data;

  /// Of exactly so many bytes.
  static enclave_report read(bytes_view raw);
};

struct quote_header {
  static constexpr std::size_t size_bytes = 48;
  /// TEE types, since version 4.
  static constexpr std::uint32_t sgx = 0;
  static constexpr std::uint32_t tdx = 0x81;

  std::uint16_t version = 0;
  std::uint32_t tee = sgx;
};

/// What comes before a quote's body. evidence_malformed: cut short, or its enclave is not Intel's;
/// signature_unsupported: its key is not on P-256.
result<quote_header> read_quote_header(bytes_view quote);

/// What signs a quote.
struct quote_signature {
  /// The attestation key's, r || s.
  bytes signature;
  /// x || y on P-256.
  bytes attestation_key;
  /// What the Quoting Enclave says of itself, as the PCK signed it, and that signature.
  enclave_report enclave;
  bytes encoded_enclave;
  bytes enclave_signature;
  /// What binds the attestation key to the enclave, with the key.
  bytes authentication_data;
  /// PEM: PCK leaf, its CA, root. Nobody has verified it.
  std::string pck_chain;

  /// What the leaf says of its platform. evidence_malformed.
  result<pck_extension> platform() const;
};

/// Longer quotes are malformed.
inline constexpr std::size_t longest_quote_bytes = 32 * 1024;

/// From its length on to the end of the quote, where zeros may follow. Since version 4 there is one
/// wrapping more in it. evidence_malformed; signature_unsupported: certification data other than a
/// PCK chain.
result<quote_signature> read_quote_signature(bytes_view sized, std::uint16_t version);

/// As far as the quote brings the keys: the attestation key signed it, the enclave vouches for that
/// key, and the leaf of the chain signed the enclave's report. `reason` otherwise. Who issued the
/// chain is not looked at.
result<void> check_quote_signature(const quote_signature& by, bytes_view signed_part, errc reason);

}  // namespace atls
