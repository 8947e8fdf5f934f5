// From a configuration to the parts that run.
#pragma once

#include "atlsd/config.hpp"
#include "provider/provider.hpp"
#include "proxy/service.hpp"

#include <prometheus/registry.h>

namespace atls {

/// What one configuration is made of; immutable.
struct assembly {
  std::shared_ptr<const attestation_services> services;
  std::shared_ptr<const proxy::tunnel_set> tunnels;
  /// services->attester; null if this machine does not attest.
  std::shared_ptr<tpm_attester> tpm;
  /// Where a PCR is configured for it: nothing but this program and configuration is measured
  /// there.
  bool is_measured_alone = false;
  /// Of the certificate that is shown to peers; none if it was made here.
  std::optional<std::chrono::system_clock::time_point> certificate_expires;
};

/// What has expired, a sentence each; of our own certificate 14 days before.
std::vector<std::string> expiry_warnings(const assembly& parts,
                                         std::chrono::system_clock::time_point now);

/// Trust anchors and reference values of all files. Throws atls::error naming the file.
parsec_tpm_endorsements read_endorsements(const std::vector<std::filesystem::path>& files);

/// Where its tunnels listen. Throws what check_addresses() finds.
std::vector<proxy::service::listen_spec> listen_specs(const config& from);
/// How many connections there may be; no more half-open ones than a quarter of the descriptors.
proxy::service::connection_limits connection_limits(const config& from);

/// Makes assemblies one after the other. TPM and Verifier clients live on where nothing that they
/// are made of has changed; everything else is read anew. Destroy after the tunnels' connections.
class assembler {
 public:
  /// What tunnels count goes to `statistics`.
  explicit assembler(
      std::shared_ptr<prometheus::Registry> statistics = std::make_shared<prometheus::Registry>());

  /// Opens the TPM, reads keys and certificates. Throws atls::error, and the next one is made as if
  /// this had not been tried.
  std::shared_ptr<const assembly> assemble(const config& from);

 private:
  /// A part, and what it was made of.
  template <class T>
  struct kept {
    std::string from;
    std::shared_ptr<T> part;
  };

  kept<tpm_attester> attester_for(const config& from) const;
  kept<relying_party> relying_party_for(const config& from) const;
  void check_measured(const config& from) const;
  std::shared_ptr<proxy::tunnel_statistics> statistics_of(const config::tunnel_settings& t);

  std::shared_ptr<prometheus::Registry> registry_;
  std::map<std::string, std::shared_ptr<proxy::tunnel_statistics>> statistics_;
  std::unique_ptr<provider::private_context> library_;
  kept<tpm_attester> attester_;
  kept<relying_party> relying_party_;
  /// What was measured into a PCR; another configuration would contradict it.
  std::optional<bytes> measured_;
  bool is_measured_alone_ = false;
};

}  // namespace atls
