// Trustee's Key Broker Service as an office for passports (its handshake is called RCAR): it
// chooses the nonce, so it cannot appraise what is bound to a handshake with a peer.
//
//   POST /kbs/v0/auth   {"version": "0.4.0", "tee", "extra-params": ""}
//                       200: {"nonce": base64, ...}, and a session in a cookie
//   POST /kbs/v0/attest {"runtime-data": {"nonce", "tee-pubkey": JWK},
//                        "tee-evidence": {"primary_evidence", "additional_evidence": ""}}
//                       200: {"token": JWT}
//   Failures: 401 with {"type", "detail"}.
#pragma once

#include "dialects/verifier_dialect.hpp"

namespace atls {

class kbs_dialect final : public verifier_dialect {
 public:
  static constexpr std::string_view auth_path = "/kbs/v0/auth";
  static constexpr std::string_view attest_path = "/kbs/v0/attest";
  /// The service takes no other.
  static constexpr std::string_view protocol_version = "0.4.0";
  static constexpr std::string_view session_cookie = "kbs-session-id";

  explicit kbs_dialect(url where) : where_(std::move(where)) {}

  verifier_type type() const noexcept override { return verifier_type::kbs; }
  /// It has no document about itself: a challenge that nobody takes up.
  http_request discovery() const override;
  result<verifier_discovery> discovered(const http_reply& answer) override;
  /// verifier_evidence_type always: it wants its own nonce.
  result<std::unique_ptr<appraisal_exchange>> open(const evidence_scheme& scheme,
                                                   const statement& evidence,
                                                   bytes_view nonce) const override;
  /// The nonce is SHA-384 of the canonical JSON (RFC 8785) {"additional-evidence": "", "nonce": the
  /// service's, "tee-pubkey": the leaf key}: results repeat the key, and vouch for it.
  result<std::unique_ptr<verifier_challenge>> challenge(const evidence_scheme& scheme,
                                                        bytes_view leaf_spki) const override;
  result_binding binding(const evidence_scheme& scheme, const statement& evidence, bytes_view nonce,
                         bytes_view leaf_spki) const override;

 private:
  const url where_;
};

}  // namespace atls
