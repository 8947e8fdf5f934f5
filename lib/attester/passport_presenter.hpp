// This machine by passports: Attestation Results about it that it fetches itself (RFC 9334 section
// 5.1), so that its peers need no Verifier.
#pragma once

#include "appraisal/ear_check.hpp"
#include "appraisal/transport/verifier_options.hpp"
#include "attestation/presenter.hpp"
#include "schemes/table.hpp"

#include <functional>

namespace atls {

struct passport_presenter_options {
  /// Of this machine, for its Verifiers.
  std::shared_ptr<presenter> evidence;
  /// DER SubjectPublicKeyInfo of this machine's leaf certificate, which Evidence and passports
  /// name.
  bytes leaf_spki;
  /// Those that can read the Evidence; each Verifier is given the first that it takes.
  evidence_schemes schemes;
  /// Each issues a passport of its own. Their identities (1 to 255 bytes) differ.
  std::vector<verifier_options> verifiers;
  /// What peers demand of passports; max_age: for how long they use one.
  result_policy results;
  /// One is issued within each handshake, for its binder.
  bool is_fresh = false;
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
};

/// Owns the thread that asks the Verifiers, and the TPM for them. Its end waits for a command of
/// the TPM that is under way.
class passport_presenter final : public presenter {
 public:
  /// Waits until each Verifier has been tried once, up to the deadline, and starts with whatever
  /// there is by then. config_invalid, or what verifier_client throws. With `is_fresh` nobody is
  /// asked yet.
  static result<std::shared_ptr<passport_presenter>> create(passport_presenter_options options,
                                                            steady_time deadline);
  ~passport_presenter() override;
  passport_presenter(const passport_presenter&) = delete;
  passport_presenter& operator=(const passport_presenter&) = delete;

  /// Results of those Verifiers whose passport may be used now, in their order; of all that
  /// there are if fresh.
  attestation_schemes offers() const override;
  /// The passport that there is, without waiting: passport_unavailable if there has been none,
  /// passport_expired if it was not renewed in time; both with what the last attempt failed for. If
  /// fresh, a new one with `binder` as its nonce, or why there is none: tpm_timeout,
  /// verifier_unavailable, ear_not_affirming, ...
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  /// One may be used now; if fresh: Evidence can be had, and a Verifier is at work.
  result<void> check(steady_time deadline) override;
  bytes instance() const override;
  /// {"attester": "passport", "of": what its Evidence is of, "passports": [{"verifier": identity,
  /// "fresh": true if so, "valid_until": RFC 3339 or null, "last_failure": text or absent}]}
  json describe() const override;

 private:
  class implementation;
  explicit passport_presenter(passport_presenter_options options);

  const std::unique_ptr<implementation> implementation_;
};

}  // namespace atls
