// Evidence of SGX enclaves to a Relying Party: the Quoting Enclave's quote.
#pragma once

#include "schemes/evidence_scheme.hpp"

namespace atls {

/// What a tunnel wants of enclaves.
struct sgx_policy {
  /// Spelled out: enclaves whose host may look into them.
  bool unsafe_debug = false;
};

class sgx_scheme final : public evidence_scheme {
 public:
  static constexpr std::string_view type = "application/vnd.atlsd.sgx-quote";
  /// The submodule of a Verifier with Veraison's API; Veraison has no scheme for SGX.
  static constexpr std::string_view submodule = "SGX";

  explicit sgx_scheme(const sgx_policy& policy) : policy_(policy) {}

  std::string_view media_type() const noexcept override { return type; }
  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override;
  result<void> recheck(const statement& of) const override;
  result<json> read(bytes_view evidence) const override;
  result_shape shape() const override;
  std::span<const fact> facts() const override;
  std::span<const std::pair<errc, appraisal_step>> reasons() const override;
  bool is_for(verifier_type) const noexcept override { return true; }
  bytes veraison_nonce(bytes_view nonce) const override;
  tee_evidence for_trustee(const statement& of) const override;

 private:
  const sgx_policy policy_;
};

}  // namespace atls
