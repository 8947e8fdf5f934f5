// From a configuration to the parts that run.
#pragma once

#include "atlsd/config.hpp"
#include "provider/provider.hpp"

namespace atls {

/// Everything that tunnels share. Order is the order of construction; destroy after the tunnels'
/// connections.
struct assembly {
  std::shared_ptr<const attestation_services> services;
  std::unique_ptr<provider::private_context> library;
  std::vector<std::shared_ptr<const proxy::tunnel>> tunnels;
  /// services->attester; null if this machine does not attest.
  std::shared_ptr<const tpm_attester> tpm;
  /// Where a PCR is configured for it: nothing but this program and configuration is measured
  /// there.
  bool is_measured_alone = false;
};

/// Opens the TPM, reads keys and certificates. Throws atls::error.
assembly assemble(const config& from);

}  // namespace atls
