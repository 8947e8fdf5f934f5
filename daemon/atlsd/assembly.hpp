// From a configuration to the parts that run.
#pragma once

#include "appraisal/relying_party.hpp"
#include "atlsd/config.hpp"
#include "atlsd/parts.hpp"
#include "attester/azure_attester.hpp"
#include "attester/passport_presenter.hpp"
#include "attester/tpm_attester.hpp"
#include "provider/provider.hpp"
#include "proxy/service.hpp"

#include <prometheus/registry.h>

namespace atls {

/// What one configuration is made of; immutable.
struct assembly {
  std::shared_ptr<const proxy::tunnel_set> tunnels;
  /// Each way in which tunnels present this machine; empty if none attests.
  std::vector<std::shared_ptr<presenter>> presenters;
  /// Where a root of trust is a TPM.
  std::shared_ptr<tpm_attester> tpm;
  /// Roots of trust that the configuration names and this machine does not have; there is another.
  std::vector<failure> absent;
  /// Null if there is no Verifier.
  std::shared_ptr<atls::relying_party> relying_party;
  /// Whether a connection may need a Verifier's answer; not with passports alone.
  bool asks_verifier = false;
  /// Where a PCR is configured for it: nothing but this program and configuration is measured
  /// there.
  bool is_measured_alone = false;
  /// Of the certificate that is shown to peers; none if it was made here.
  std::optional<std::chrono::system_clock::time_point> certificate_expires;
};

/// What has expired, a sentence each; of our own certificate 14 days before.
std::vector<std::string> expiry_warnings(const assembly& parts,
                                         std::chrono::system_clock::time_point now);

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

  kept<tpm_attester> tpm_for(const config& from) const;
  kept<tsm_attester> tsm_for(const config& from) const;
  /// Nothing without its TPM.
  kept<azure_attester> azure_for(const config& from,
                                 const std::shared_ptr<tpm_attester>& tpm) const;
  std::shared_ptr<EVP_PKEY> key_in_memory();
  kept<relying_party> relying_party_for(const config& from) const;
  kept<passport_presenter> passports_for(const config& from, bool is_fresh,
                                         const std::shared_ptr<presenter>& evidence,
                                         const key_and_chain& identity) const;
  void check_measured(const config& from) const;
  void measure_once(const config& from);
  /// Gives the provider what it works with from now on.
  void serve(const config& from, const std::shared_ptr<tpm_attester>& tpm,
             const std::shared_ptr<relying_party>& judges);
  std::shared_ptr<const proxy::tunnel> make_tunnel(const config& whole,
                                                   const config::tunnel_settings& t,
                                                   const key_and_chain& identity,
                                                   std::shared_ptr<presenter> presents,
                                                   const std::shared_ptr<relying_party>& judges);
  std::shared_ptr<proxy::tunnel_statistics> statistics_of(const config::tunnel_settings& t);

  std::shared_ptr<prometheus::Registry> registry_;
  std::map<std::string, std::shared_ptr<proxy::tunnel_statistics>> statistics_;
  std::unique_ptr<provider::private_context> library_;
  kept<tpm_attester> tpm_;
  kept<tsm_attester> tsm_;
  kept<azure_attester> azure_;
  /// A confidential VM's, for as long as the process lives.
  std::shared_ptr<EVP_PKEY> key_in_memory_;
  /// Those that are issued beforehand, and those for one handshake each.
  std::array<kept<passport_presenter>, 2> passports_;
  kept<relying_party> relying_party_;
  /// What was measured into a PCR; another configuration would contradict it.
  std::optional<bytes> measured_;
  bool is_measured_alone_ = false;
};

}  // namespace atls
