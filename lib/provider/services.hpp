// What the provider's keys work with.
#pragma once

#include "appraisal/relying_party.hpp"
#include "attester/attester.hpp"

namespace atls {

struct attestation_services {
  /// Null where this machine cannot attest.
  std::shared_ptr<atls::attester> attester;
  /// Null where no Verifier is configured.
  std::shared_ptr<atls::relying_party> relying_party;
  /// For `verify` of the ATTESTATION key type.
  std::shared_ptr<const appraisal_policy> policy;
  /// DER certificates for the TIK, leaf first; may be empty.
  std::vector<bytes> certificates;
  /// For one operation of the TPM.
  std::chrono::milliseconds timeout{5000};
};

}  // namespace atls
