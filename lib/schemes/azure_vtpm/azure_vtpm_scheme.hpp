// Evidence of Azure confidential VMs to a Relying Party: PARSEC_TPM Evidence of the vTPM, and the
// hardware's report, which vouches for that vTPM. The vTPM runs in the confidential VM, in its
// paravisor.
#pragma once

#include "schemes/azure_vtpm/evidence.hpp"
#include "schemes/parsec_tpm/parsec_tpm_scheme.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

namespace atls {

/// What a tunnel wants of Azure confidential VMs beyond what it wants of their TPM and hardware.
struct azure_vtpm_policy {
  /// Spelled out: Verifiers are shown the TPM's statements alone, and must know the attestation
  /// key. Nobody then looks at who issued the certificates of the hardware's key.
  bool unsafe_tpm_only = false;
};

class azure_vtpm_scheme final : public evidence_scheme {
 public:
  static constexpr std::string_view type = "application/vnd.atlsd.azure-vtpm+cbor";
  /// The submodule of a Verifier with Veraison's API; Veraison has no such scheme.
  static constexpr std::string_view submodule = "AZURE_VTPM";

  azure_vtpm_scheme(const azure_vtpm_policy& policy, parsec_tpm_policy tpm,
                    const sev_snp_policy& snp, const tdx_policy& tdx)
      : policy_(policy), tpm_(std::move(tpm)), snp_(snp), tdx_(tdx) {}

  std::string_view media_type() const noexcept override { return type; }
  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override;
  result<void> recheck(const statement& of) const override;
  result<json> read(bytes_view evidence) const override;
  result_shape shape() const override;
  std::span<const fact> facts() const override;
  std::span<const std::pair<errc, appraisal_step>> reasons() const override;
  std::string findings(const statement& of) const override;
  veraison_evidence for_veraison(const statement& of) const override;

 private:
  const evidence_scheme& scheme_of(azure_hardware hardware) const noexcept;
  result<json> check_hardware(const azure_vtpm_evidence& evidence) const;

  const azure_vtpm_policy policy_;
  const parsec_tpm_scheme tpm_;
  const sev_snp_scheme snp_;
  const tdx_scheme tdx_;
};

}  // namespace atls
