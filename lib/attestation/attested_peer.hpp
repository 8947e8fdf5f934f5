// The verdict on a peer.
#pragma once

#include "attestation/statement.hpp"
#include "attestation/verified_ear.hpp"

#include <optional>

namespace atls {

/// A peer that attested: what it presented passed every step of an appraisal. Nothing but the
/// Relying Party's appraisal makes one.
class attested_peer {
 public:
  /// Of a peer that presented Evidence; a passport has none.
  const std::optional<statement>& evidence() const noexcept { return evidence_; }
  /// Who it is, as its scheme names machines; empty for a passport, which does not say.
  bytes_view instance() const noexcept {
    return evidence_ ? bytes_view(evidence_->instance) : bytes_view();
  }
  const verified_ear& result() const noexcept { return ear_; }
  /// What the rules of a policy in dry run would have refused it for.
  const std::optional<failure>& would_refuse() const noexcept { return would_refuse_; }
  /// How long the Verifier took; 0 for a passport.
  std::chrono::nanoseconds verifier_time() const noexcept { return verifier_time_; }

 private:
  friend class appraisal;
  attested_peer(std::optional<statement> evidence, verified_ear ear,
                std::optional<failure> would_refuse, std::chrono::nanoseconds verifier_time)
      : evidence_(std::move(evidence)),
        ear_(std::move(ear)),
        would_refuse_(std::move(would_refuse)),
        verifier_time_(verifier_time) {}

  std::optional<statement> evidence_;
  verified_ear ear_;
  std::optional<failure> would_refuse_;
  std::chrono::nanoseconds verifier_time_;
};

}  // namespace atls
