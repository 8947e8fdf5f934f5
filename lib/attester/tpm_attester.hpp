// A TPM 2.0 as the root of trust.
#pragma once

#include "attestation/presenter.hpp"
#include "attester/identity.hpp"
#include "tpm/worker.hpp"

namespace atls {

struct tpm_attester_options {
  std::string tcti;
  std::filesystem::path state_dir;
  pcr_selection pcrs;
};

/// Key attestation (TPM2_Certify) and quote by the AK: PARSEC_TPM Evidence about the TLS Identity
/// Key, which lives in the TPM.
class tpm_attester final : public presenter, public tls_key {
 public:
  /// Opens the TPM and loads the identity, so that a mistake shows at start-up.
  static result<std::shared_ptr<tpm_attester>> create(const tpm_attester_options& options,
                                                      steady_time deadline);

  attestation_schemes offers() const override;
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  /// A TPM command is answered: tpm_unavailable, tpm_timeout, ... otherwise.
  result<void> check(steady_time deadline) override;
  /// The kid.
  bytes instance() const override;
  json describe() const override;

  const bytes& spki() const noexcept override { return identity_->tik.spki; }
  result<bytes> sign(tpm_hash hash, bytes_view digest, steady_time deadline) override;

  /// Runs it with the TPM and the attestation key: tpm_overloaded, tpm_timeout, or its own failure.
  template <class T>
  result<T> with_ak(std::function<result<T>(tpm::device&, const tpm::key_handle&)> operation,
                    steady_time deadline) const {
    return worker_->run<T>([keys = keys_, operation = std::move(operation)](
                               tpm::device& device) { return operation(device, keys->ak); },
                           deadline);
  }

  /// The same machine and TPM with a quote over other PCRs.
  result<std::shared_ptr<tpm_attester>> with_pcrs(const pcr_selection& pcrs) const;

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
