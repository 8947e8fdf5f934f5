// Evidence of Trustee's "sample" TEE: report data in JSON, signed by nobody. For tests only:
// whoever reads this can make it.
//
//   {"svn": text, "report_data": base64}
#pragma once

#include "schemes/evidence_scheme.hpp"

namespace atls {

class sample_scheme final : public evidence_scheme {
 public:
  static constexpr std::string_view type = "application/vnd.atlsd.sample-tee+json";
  /// Longer Evidence is malformed.
  static constexpr std::size_t longest_bytes = 1024;

  /// What this machine presents.
  static bytes encode(bytes_view report_data);

  std::string_view media_type() const noexcept override { return type; }
  /// evidence_malformed, report_data_mismatch. The report data is the binder itself, which covers
  /// the leaf key.
  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override;
  /// There is no platform to demand anything of.
  result<void> recheck(const statement&) const override { return {}; }
  /// {"type", "sample": {"svn", "report_data": hex}}
  result<json> read(bytes_view evidence) const override;

  result_shape shape() const override;
  std::span<const fact> facts() const override;
  std::span<const std::pair<errc, appraisal_step>> reasons() const override;

  bool is_for(verifier_type verifier) const noexcept override;
  tee_evidence for_trustee(const statement& of) const override;
};

}  // namespace atls
