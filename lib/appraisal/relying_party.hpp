// The Relying Party's part that all tunnels share: its Verifiers, and the thread that asks them.
#pragma once

#include "appraisal/appraisal_policy.hpp"
#include "appraisal/transport/verifier_options.hpp"
#include "attestation/appraiser.hpp"
#include "core/wait.hpp"

#include <map>
#include <memory>

namespace atls {

struct relying_party_options {
  /// The first that answers is asked; all are trusted alike.
  std::vector<verifier_options> verifiers;
};

/// Owns the control thread that appraises and talks to the Verifier.
class relying_party {
 public:
  /// Throws atls::error on a bad URL or CA file.
  explicit relying_party(relying_party_options options);
  ~relying_party();
  relying_party(const relying_party&) = delete;
  relying_party& operator=(const relying_party&) = delete;

  /// What it can judge under a policy, best first: Evidence types that a Verifier appraises, or
  /// Verifiers whose keys are configured.
  attestation_schemes accepts(const appraisal_policy& policy) const;

  /// Every step, in order (ARCHITECTURE.md), on behalf of requester::current(). Suspends an
  /// ASYNC_JOB, blocks elsewhere.
  result<attested_peer> appraise(appraisal_request request,
                                 std::shared_ptr<const appraisal_policy> policy);

  /// A Verifier says that it is at work; the last one's failure otherwise. Blocks.
  result<void> check(steady_time deadline);

  struct counters {
    std::uint64_t appraisals = 0;
    /// HTTP requests.
    std::uint64_t verifier_requests = 0;
    std::size_t in_flight = 0;
    /// Appraisals that have ended, by reason (errc::ok: the peer was admitted).
    std::map<errc, std::uint64_t> outcomes;
    /// Evidence submitted, by Verifier and reason (errc::ok: it gave an Attestation Result).
    std::map<std::pair<std::string, errc>, std::uint64_t> submissions;
  };
  counters count() const;

 private:
  class implementation;
  std::unique_ptr<implementation> implementation_;
};

/// A policy's judgement by the Verifiers of a Relying Party.
class tunnel_appraiser final : public appraiser {
 public:
  tunnel_appraiser(std::shared_ptr<relying_party> by,
                   std::shared_ptr<const appraisal_policy> policy);

  const attestation_schemes& accepts() const noexcept override { return accepts_; }
  bool takes_certificates() const noexcept override { return policy_->takes_certificates; }
  result<attested_peer> appraise(appraisal_request request) override;
  result<void> judge_again(const attested_peer& peer, const std::string& pki_name) const override;

 private:
  const std::shared_ptr<relying_party> by_;
  const std::shared_ptr<const appraisal_policy> policy_;
  const attestation_schemes accepts_;
};

}  // namespace atls
