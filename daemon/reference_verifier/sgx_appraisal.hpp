// Appraisal of SGX Evidence, by Intel's collateral and reference values. Veraison has no such
// scheme.
#pragma once

#include "reference_verifier/endorsement_store.hpp"
#include "reference_verifier/evidence_appraiser.hpp"

namespace atls {

class sgx_appraiser final : public evidence_appraiser {
 public:
  explicit sgx_appraiser(std::shared_ptr<const endorsement_store> endorsements)
      : endorsements_(std::move(endorsements)) {}

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;

 private:
  const std::shared_ptr<const endorsement_store> endorsements_;
};

}  // namespace atls
