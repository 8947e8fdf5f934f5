// Appraisal of CCA tokens, as Veraison's scheme ARM_CCA takes them, and stricter: only secured
// platforms, and realms whose measurements are all known.
#pragma once

#include "reference_verifier/endorsement_store.hpp"
#include "reference_verifier/evidence_appraiser.hpp"

namespace atls {

class arm_cca_appraiser final : public evidence_appraiser {
 public:
  explicit arm_cca_appraiser(std::shared_ptr<const endorsement_store> endorsements)
      : endorsements_(std::move(endorsements)) {}

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;

 private:
  const std::shared_ptr<const endorsement_store> endorsements_;
};

}  // namespace atls
