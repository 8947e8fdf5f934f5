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
  /// The kid of this machine in hexadecimal; empty if it does not attest.
  std::string kid;
};

/// Opens the TPM, reads keys and certificates. Throws atls::error.
assembly assemble(const config& from);

}  // namespace atls
