#include "atlsd/insecure_modes.hpp"

namespace atls {

std::vector<insecure_mode> insecure_modes(const config& whole, const config::tunnel_settings& t) {
  const auto& policy = t.policy;
  const bool judges = t.require_attestation;
  const std::pair<bool, insecure_mode> all[] = {
      {!judges, {"unattested", "does not require attestation of its peer"}},
      {t.peer.unsafe_unauthenticated, {"unauthenticated", "does not authenticate its peer"}},
      {judges && t.accepts_certificates,
       {"no_freshness", "accepts Evidence in certificates, which may be of any age"}},
      {judges && whole.takes_samples(),
       {"sample_tee", "accepts Evidence of the sample TEE, which anybody can make"}},
      {judges && policy.snp.unsafe_debug,
       {"snp_debugged", "accepts SNP guests whose host may look into them"}},
      {judges && policy.snp.unsafe_migration,
       {"snp_migratable", "accepts SNP guests that an agent may move to another machine"}},
      {judges && policy.tdx.unsafe_debug,
       {"tdx_debugged", "accepts TDs whose host may look into them"}},
      {judges && policy.sgx.unsafe_debug,
       {"sgx_debugged", "accepts enclaves whose host may look into them"}},
      {judges && policy.cca.unsafe_lifecycle,
       {"cca_unsecured", "accepts realms on platforms that are not secured"}},
      {judges && policy.azure.unsafe_tpm_only,
       {"azure_tpm_only",
        "has Verifiers appraise the TPM of Azure VMs alone, not the hardware behind it"}},
      {t.unsafe_plaintext, {"plaintext", "has a plaintext side that may leave this host"}},
      {policy.dry_run, {"dry_run", "is a dry run: the policy's rules refuse nobody"}},
  };
  std::vector<insecure_mode> out;
  for (const auto& [is_so, mode] : all) {
    if (is_so) {
      out.push_back(mode);
    }
  }
  return out;
}

}  // namespace atls
