// The Relying Party: from Evidence to a decision (RFC 9334, background-check model).
#pragma once

#include "appraisal/appraisal_steps.hpp"
#include "appraisal/ear_check.hpp"
#include "appraisal/policy/policy_rules.hpp"
#include "appraisal/transport/verifier_options.hpp"
#include "attestation/scheme.hpp"
#include "core/wait.hpp"
#include "formats/corim.hpp"
#include "schemes/parsec_tpm/evidence_check.hpp"

#include <map>
#include <memory>

namespace atls {

/// What a peer must be, beyond what the Verifier judges.
struct appraisal_policy {
  pcr_selection required_pcrs;
  /// Empty: any attestation key that the Verifier knows.
  std::vector<bytes> allowed_kids;
  std::chrono::seconds max_result_age{60};
  std::chrono::seconds clock_skew{5};
  std::string verifier_developer;
  std::string verifier_build;
  std::string policy_id;
  std::vector<policy_rule> rules;
  /// Whom the rules would refuse is admitted, with a note.
  bool dry_run = false;
  /// For what is said of a peer whose PCRs are refused; nobody is admitted by them.
  parsec_tpm_endorsements known;
};

/// What is known of one handshake when its peer's Evidence has arrived.
struct appraisal_request {
  bytes cmw;
  std::string media_type;
  bytes binder;
  bytes leaf_spki;
  /// The configured name that the peer's certificate is for; empty without PKI.
  std::string pki_name;
  /// Filled on the way if there is one.
  std::shared_ptr<appraisal_trace> trace;
};

/// A peer that attested: its Evidence passed the seven steps. Nothing but the Relying Party's
/// appraisal makes one.
class attested_peer {
 public:
  const bytes& kid() const noexcept { return kid_; }
  /// Without its CMW.
  const bytes& evidence() const noexcept { return evidence_; }
  const pcr_selection& pcrs() const noexcept { return pcrs_; }
  const verified_ear& result() const noexcept { return ear_; }
  /// What the rules of a policy in dry run would have refused it for.
  const std::optional<failure>& would_refuse() const noexcept { return would_refuse_; }
  /// How long the Verifier took, and the whole appraisal with it.
  std::chrono::nanoseconds verifier_time() const noexcept { return verifier_time_; }

 private:
  friend class appraisal;
  attested_peer(const checked_evidence& evidence, verified_ear ear,
                std::optional<failure> would_refuse, std::chrono::nanoseconds verifier_time)
      : kid_(evidence.kid),
        evidence_(evidence.evidence),
        pcrs_(evidence.pcrs),
        ear_(std::move(ear)),
        would_refuse_(std::move(would_refuse)),
        verifier_time_(verifier_time) {}

  bytes kid_;
  bytes evidence_;
  pcr_selection pcrs_;
  verified_ear ear_;
  std::optional<failure> would_refuse_;
  std::chrono::nanoseconds verifier_time_;
};

/// Whether the local policy, changed since, still admits a peer whose connection lives on; the
/// failure is the one that its handshake would have now. What a Verifier would say now is not
/// asked. `pki_name` as in appraisal_request.
result<void> judge_again(const attested_peer& peer, const appraisal_policy& policy,
                         const std::string& pki_name);

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

  /// What it can have appraised, best first.
  const attestation_schemes& accepts() const noexcept;

  /// The seven steps, in order (ARCHITECTURE.md), on behalf of requester::current(). Suspends an
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

}  // namespace atls
