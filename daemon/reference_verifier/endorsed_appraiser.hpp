// An appraiser of Evidence by what the Verifier knows of machines.
#pragma once

#include "reference_verifier/endorsement_store.hpp"
#include "reference_verifier/evidence_appraiser.hpp"

namespace atls {

class endorsed_appraiser : public evidence_appraiser {
 public:
  explicit endorsed_appraiser(std::shared_ptr<const endorsement_store> endorsements)
      : endorsements_(std::move(endorsements)) {}

 protected:
  const endorsement_store& endorsements() const noexcept { return *endorsements_; }

 private:
  const std::shared_ptr<const endorsement_store> endorsements_;
};

}  // namespace atls
