// Trustee's attestation service, over REST (confidential-containers/trustee, attestation-service):
// one request holds everything, so there are neither sessions nor a nonce of the service's own.
//
//   POST /attestation {"verification_requests": [{"tee", "evidence": base64url(JSON),
//                                                 "runtime_data": {"raw": base64url(nonce)}}],
//                      "policy_ids": [...]}           200: a bare JWT; any failure: 500, text
//   GET /.well-known/jwks.json                        the keys of its results (RFC 7517 section 5)
#pragma once

#include "dialects/verifier_dialect.hpp"

namespace atls {

class trustee_dialect final : public verifier_dialect {
 public:
  static constexpr std::string_view attestation_path = "/attestation";
  static constexpr std::string_view keys_path = "/.well-known/jwks.json";
  /// Of "raw", in bytes: the service cuts off what is more than its TEE's report data.
  static constexpr std::size_t max_nonce_bytes = 64;

  /// `policy_ids`: the policies to appraise by; empty: the service's default.
  trustee_dialect(url where, std::vector<std::string> policy_ids);

  verifier_type type() const noexcept override { return verifier_type::trustee; }
  http_request discovery() const override;
  result<verifier_discovery> discovered(const http_reply& answer) override;
  result<std::unique_ptr<appraisal_exchange>> open(const evidence_scheme& scheme,
                                                   const statement& evidence,
                                                   bytes_view nonce) const override;
  result_binding binding(const evidence_scheme& scheme, const statement& evidence, bytes_view nonce,
                         bytes_view leaf_spki) const override;

 private:
  const url where_;
  const std::vector<std::string> policy_ids_;
};

}  // namespace atls
