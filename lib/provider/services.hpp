// What the provider's keys work with.
#pragma once

#include "attestation/appraiser.hpp"
#include "attestation/presenter.hpp"

namespace atls {

struct attestation_services {
  /// Null where this machine cannot attest.
  std::shared_ptr<atls::presenter> presenter;
  /// The TLS Identity Key; null where this machine has none.
  std::shared_ptr<tls_key> key;
  /// For `verify` of the ATTESTATION key type; null where no Verifier is configured.
  std::shared_ptr<atls::appraiser> appraiser;
  /// DER certificates for the TIK, leaf first; may be empty.
  std::vector<bytes> certificates;
  /// For one operation of the root of trust.
  std::chrono::milliseconds timeout{5000};
};

}  // namespace atls
