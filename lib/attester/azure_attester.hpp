// An Azure confidential VM as the root of trust: its vTPM, and the hardware that vouches for it.
#pragma once

#include "attester/tpm_attester.hpp"
#include "formats/url.hpp"
#include "schemes/azure_vtpm/evidence.hpp"

namespace atls {

struct azure_attester_options {
  /// The instance metadata service.
  url metadata;
  /// Where what it said is kept.
  std::filesystem::path state_dir;
};

/// The TPM's Evidence, with why that TPM is to be believed, which is made once.
class azure_attester final : public presenter {
 public:
  /// Has the vTPM's own key certify the attestation key, and the metadata service endorse the
  /// hardware; what it said before counts where it does not answer. Checks it all as a peer would:
  /// tpm_failed where this is no such VM, azure_metadata, or what a peer would find.
  static result<std::shared_ptr<azure_attester>> create(std::shared_ptr<tpm_attester> tpm,
                                                        const azure_attester_options& options,
                                                        steady_time deadline);

  attestation_schemes offers() const override;
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  result<void> check(steady_time deadline) override { return tpm_->check(deadline); }
  /// The kid.
  bytes instance() const override { return tpm_->instance(); }
  json describe() const override;

  /// The same machine, whose TPM quotes other PCRs.
  std::shared_ptr<azure_attester> with_tpm(std::shared_ptr<tpm_attester> tpm) const;

 private:
  azure_attester(std::shared_ptr<tpm_attester> tpm, azure_vtpm_message parts)
      : tpm_(std::move(tpm)), parts_(std::move(parts)) {}

  result<bytes> evidence_over(bytes_view binder, steady_time deadline) const;
  result<void> check_own(steady_time deadline) const;

  const std::shared_ptr<tpm_attester> tpm_;
  /// Without the TPM's Evidence.
  azure_vtpm_message parts_;
};

}  // namespace atls
