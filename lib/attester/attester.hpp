// Where Evidence comes from: one class per root of trust.
#pragma once

#include "attestation/scheme.hpp"
#include "attester/identity.hpp"
#include "tpm/worker.hpp"

namespace atls {

class attester {
 public:
  virtual ~attester() = default;

  /// What it can present, best first; never empty.
  virtual const attestation_schemes& offers() const noexcept = 0;
  /// One of these: a CMW record about this machine and its TLS key, bound to `binder` (32 to 64
  /// bytes). Suspends an ASYNC_JOB, blocks elsewhere.
  virtual result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                                steady_time deadline) = 0;
  /// The first of them.
  result<bytes> present(bytes_view binder, steady_time deadline) {
    return present(offers().front(), binder, deadline);
  }
  /// DER ECDSA signature of a digest by the TLS Identity Key; waits as present() does.
  virtual result<bytes> sign(tpm_hash hash, bytes_view digest, steady_time deadline) = 0;
  /// DER SubjectPublicKeyInfo of the TLS Identity Key.
  virtual const bytes& tik_spki() const noexcept = 0;
};

struct tpm_attester_options {
  std::string tcti;
  std::filesystem::path state_dir;
  pcr_selection pcrs;
};

/// Key attestation (TPM2_Certify) and quote by the AK of a TPM 2.0: PARSEC_TPM Evidence.
class tpm_attester final : public attester {
 public:
  /// Opens the TPM and loads the identity, so that a mistake shows at start-up.
  static result<std::shared_ptr<tpm_attester>> create(const tpm_attester_options& options,
                                                      steady_time deadline);

  const attestation_schemes& offers() const noexcept override;
  using attester::present;
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  result<bytes> sign(tpm_hash hash, bytes_view digest, steady_time deadline) override;
  const bytes& tik_spki() const noexcept override { return identity_->tik.spki; }

  /// The same machine and TPM with a quote over other PCRs.
  result<std::shared_ptr<tpm_attester>> with_pcrs(const pcr_selection& pcrs) const;

  /// A TPM command is answered: tpm_unavailable, tpm_timeout, ... otherwise. Blocks.
  result<void> check(steady_time deadline);

  bytes kid() const;
  const pcr_selection& pcrs() const noexcept { return pcrs_; }
  const identity& who() const noexcept { return *identity_; }
  tpm::worker::counters tpm_counters() const { return worker_->count(); }
  /// The same for all that with_pcrs() makes: they share these counters.
  const void* queue_identity() const noexcept { return worker_.get(); }

 private:
  struct loaded_keys {
    tpm::key_handle ak;
    tpm::key_handle tik;
  };

  tpm_attester(const tpm_attester_options& options, identity who, tpm::key_access access);
  tpm_attester(const tpm_attester& other, const pcr_selection& pcrs);

  const std::shared_ptr<const identity> identity_;
  const pcr_selection pcrs_;
  /// Only the worker's thread looks inside.
  const std::shared_ptr<loaded_keys> keys_;
  const std::shared_ptr<tpm::worker> worker_;
};

}  // namespace atls
