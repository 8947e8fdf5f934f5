// Appraisal of SEV-SNP Evidence, as Veraison's scheme SEVSNP takes it, and stricter: debuggable
// guests, firmware other than certified and other chips are refused, not only by Relying Parties.
#pragma once

#include "reference_verifier/endorsed_appraiser.hpp"

namespace atls {

/// `references` are those of whom the report may be of; all else is what is known of this hardware.
ear_appraisal appraise_snp(bytes_view evidence, bytes_view nonce, const cvm_endorsements& known,
                           const std::vector<json>& references);

class sev_snp_appraiser final : public endorsed_appraiser {
 public:
  using endorsed_appraiser::endorsed_appraiser;

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;
};

}  // namespace atls
