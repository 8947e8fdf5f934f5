// Appraisal of the Evidence of Azure confidential VMs: the hardware as if it attested by itself,
// the vTPM that it vouches for by reference values of its PCRs. Veraison has no such scheme.
#pragma once

#include "reference_verifier/endorsed_appraiser.hpp"

namespace atls {

/// The machine needs no trust anchor: which one it is is not affirmed.
class azure_vtpm_appraiser final : public endorsed_appraiser {
 public:
  azure_vtpm_appraiser(std::shared_ptr<const endorsement_store> endorsements,
                       const pcr_selection& required_pcrs)
      : endorsed_appraiser(std::move(endorsements)), required_pcrs_(required_pcrs) {}

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;

 private:
  const pcr_selection required_pcrs_;
};

}  // namespace atls
