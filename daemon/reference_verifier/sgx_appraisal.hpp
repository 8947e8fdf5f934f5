// Appraisal of SGX Evidence, by Intel's collateral and reference values. Veraison has no such
// scheme.
#pragma once

#include "reference_verifier/endorsed_appraiser.hpp"

namespace atls {

class sgx_appraiser final : public endorsed_appraiser {
 public:
  using endorsed_appraiser::endorsed_appraiser;

  std::string_view media_type() const noexcept override;
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override;
};

}  // namespace atls
