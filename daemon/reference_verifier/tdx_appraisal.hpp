// Appraisal of TDX Evidence, by Intel's collateral and reference values. Veraison has no such
// scheme.
#pragma once

#include "reference_verifier/endorsed_appraiser.hpp"

namespace atls {

/// `references` are those of whom the report may be of; all else is what is known of this hardware.
ear_appraisal appraise_tdx(bytes_view evidence, bytes_view nonce, const intel_endorsements& known,
                           const std::vector<json>& references);

class tdx_appraiser final : public endorsed_appraiser {
 public:
  using endorsed_appraiser::endorsed_appraiser;

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;
};

}  // namespace atls
