// Veraison's challenge-response API (version 1): a session for the nonce, the Evidence to the
// session, which is polled while the Verifier is at work.
#pragma once

#include "dialects/verifier_dialect.hpp"

namespace atls {

class veraison_dialect final : public verifier_dialect {
 public:
  explicit veraison_dialect(url where);

  verifier_type type() const noexcept override { return verifier_type::veraison; }
  http_request discovery() const override;
  /// Remembers where new sessions are made.
  result<verifier_discovery> discovered(const http_reply& answer) override;
  result<std::unique_ptr<appraisal_exchange>> open(const evidence_scheme& scheme,
                                                   const statement& evidence,
                                                   bytes_view nonce) const override;
  result_binding binding(const evidence_scheme& scheme, const statement& evidence, bytes_view nonce,
                         bytes_view leaf_spki) const override;

 private:
  const url where_;
  /// A request target.
  std::string new_session_path_;
};

}  // namespace atls
