// What Intel says of SGX or TDX platforms (Intel PCS API version 4: TCB info, enclave identity,
// revocation lists), as verifiers pass it around: one JSON document with both, the chain that
// signed them, and the lists.
#pragma once

#include "formats/json.hpp"
#include "reference_verifier/certificate_chain.hpp"
#include "schemes/sgx/quote.hpp"
#include "schemes/tdx/quote.hpp"

#include <chrono>

namespace atls {

class pcs_collateral {
 public:
  /// {"tcb_info": text, "tcb_info_signature": hex, "tcb_info_issuer_chain": PEM, "qe_identity":
  /// text,
  ///  "qe_identity_signature": hex, "qe_identity_issuer_chain": PEM, "pck_crl": hex, "root_ca_crl":
  ///  hex}. endorsement_missing: not such a document.
  static result<pcs_collateral> read(std::string_view text);

  /// Whether it is about TDX; about SGX otherwise.
  bool is_for_tdx() const noexcept { return is_for_tdx_; }
  /// Six bytes.
  const bytes& fmspc() const noexcept { return fmspc_; }
  const std::vector<crl_ptr>& revoked() const noexcept { return revoked_; }

  /// It is signed by Intel, and there may not be newer yet. pki_untrusted, ...;
  /// endorsement_missing.
  result<void> check(const trusted_roots& roots, std::chrono::system_clock::time_point now) const;

  /// The worst of the states of platform, TDX module and Quoting Enclave: "UpToDate", "OutOfDate",
  /// ... evidence_malformed where they are of other kinds than it knows.
  result<std::string> tcb_status(const tdx_quote& quote, const pck_extension& platform) const;
  result<std::string> tcb_status(const sgx_quote& quote, const pck_extension& platform) const;

 private:
  /// As it was signed, and what it says.
  struct signed_document {
    std::string text;
    json content;
    bytes signature;
    std::vector<x509_ptr> chain;
  };

  static result<signed_document> read_signed(const json& from, const std::string& name);
  result<void> check_document(const signed_document& document, const trusted_roots& roots,
                              std::chrono::system_clock::time_point now) const;

  signed_document tcb_info_;
  signed_document enclave_identity_;
  bool is_for_tdx_ = false;
  bytes fmspc_;
  std::vector<crl_ptr> revoked_;
};

}  // namespace atls
