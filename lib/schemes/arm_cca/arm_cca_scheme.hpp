// Evidence of Arm CCA realms to a Relying Party: the token as the RMM made it.
#pragma once

#include "schemes/evidence_scheme.hpp"

namespace atls {

/// What a tunnel wants of realms.
struct arm_cca_policy {
  /// Spelled out: platforms that are not secured, into which somebody may look.
  bool unsafe_lifecycle = false;
};

class arm_cca_scheme final : public evidence_scheme {
 public:
  static constexpr std::string_view provider = "arm_cca_guest";
  static constexpr std::string_view type =
      "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"";

  /// Of Veraison's results.
  static constexpr std::string_view platform_submodule = "CCA_SSD_PLATFORM";
  static constexpr std::string_view realm_submodule = "CCA_REALM";

  explicit arm_cca_scheme(const arm_cca_policy& policy) : policy_(policy) {}

  std::string_view media_type() const noexcept override { return type; }
  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override;
  result<void> recheck(const statement& of) const override;
  result<json> read(bytes_view evidence) const override;
  result_shape shape() const override;
  std::span<const fact> facts() const override;
  std::span<const std::pair<errc, appraisal_step>> reasons() const override;
  bool is_for(verifier_type) const noexcept override { return true; }
  tee_evidence for_trustee(const statement& of) const override;

 private:
  const arm_cca_policy policy_;
};

}  // namespace atls
