// Evidence of SEV-SNP guests to a Relying Party: the firmware's report, and the certificate of the
// key that signed it, as configfs-tsm gives them.
#pragma once

#include "schemes/evidence_scheme.hpp"

namespace atls {

/// What a tunnel wants of SEV-SNP guests.
struct sev_snp_policy {
  /// The least privileged level that may have asked for the report (0 is the most privileged).
  unsigned max_vmpl = 0;
  /// Spelled out: guests whose host may look into them.
  bool unsafe_debug = false;
  /// Spelled out: guests that an agent may move to another machine.
  bool unsafe_migration = false;
};

class sev_snp_scheme final : public evidence_scheme {
 public:
  static constexpr std::string_view provider = "sev_guest";
  static constexpr std::string_view type =
      "application/vnd.veraison.tsm-report+cbor; provider=sev_guest";

  /// Of Veraison's results.
  static constexpr std::string_view submodule = "SEVSNP";

  explicit sev_snp_scheme(const sev_snp_policy& policy) : policy_(policy) {}

  std::string_view media_type() const noexcept override { return type; }
  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override;
  result<void> recheck(const statement& of) const override;
  result<json> read(bytes_view evidence) const override;
  result_shape shape() const override;
  std::span<const fact> facts() const override;
  std::span<const std::pair<errc, appraisal_step>> reasons() const override;
  bool is_for(verifier_type) const noexcept override { return true; }
  veraison_evidence for_veraison(const statement& of) const override;
  bytes veraison_nonce(bytes_view nonce) const override;
  tee_evidence for_trustee(const statement& of) const override;

 private:
  const sev_snp_policy policy_;
};

}  // namespace atls
