// PARSEC_TPM Evidence to a Relying Party: a key statement (TPM2_Certify of the TLS key) and a
// platform statement (TPM2_Quote), signed by one attestation key.
#pragma once

#include "schemes/evidence_scheme.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"

namespace atls {

/// What a tunnel wants of platforms with a TPM.
struct parsec_tpm_policy {
  /// PCRs that the quote must cover at least, in this bank; 16 and 23 never count.
  pcr_selection required_pcrs;
  /// For what is said of a peer whose PCRs are refused; nobody is admitted by them.
  parsec_tpm_endorsements known;
};

class parsec_tpm_scheme final : public evidence_scheme {
 public:
  explicit parsec_tpm_scheme(parsec_tpm_policy policy) : policy_(std::move(policy)) {}

  std::string_view media_type() const noexcept override;
  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override;
  result<void> recheck(const statement& of) const override;
  result<json> read(bytes_view evidence) const override;
  result_shape shape() const override;
  std::span<const fact> facts() const override;
  std::span<const std::pair<errc, appraisal_step>> reasons() const override;
  std::string findings(const statement& of) const override;

 private:
  const parsec_tpm_policy policy_;
};

}  // namespace atls
