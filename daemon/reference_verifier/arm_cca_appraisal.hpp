// Appraisal of CCA tokens, as Veraison's scheme ARM_CCA takes them, and stricter: only secured
// platforms, and realms whose measurements are all known.
#pragma once

#include "reference_verifier/endorsed_appraiser.hpp"

namespace atls {

class arm_cca_appraiser final : public endorsed_appraiser {
 public:
  using endorsed_appraiser::endorsed_appraiser;

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;
};

}  // namespace atls
