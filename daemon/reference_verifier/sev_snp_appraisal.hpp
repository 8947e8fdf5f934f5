// Appraisal of SEV-SNP Evidence, as Veraison's scheme SEVSNP takes it, and stricter: debuggable
// guests, firmware other than certified and other chips are refused, not only by Relying Parties.
#pragma once

#include "reference_verifier/endorsement_store.hpp"
#include "reference_verifier/evidence_appraiser.hpp"

namespace atls {

/// `references` are those of whom the report may be of; all else is what is known of this hardware.
ear_appraisal appraise_snp(bytes_view evidence, bytes_view nonce, const cvm_endorsements& known,
                           const std::vector<json>& references);

class sev_snp_appraiser final : public evidence_appraiser {
 public:
  explicit sev_snp_appraiser(std::shared_ptr<const endorsement_store> endorsements)
      : endorsements_(std::move(endorsements)) {}

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;

 private:
  const std::shared_ptr<const endorsement_store> endorsements_;
};

}  // namespace atls
