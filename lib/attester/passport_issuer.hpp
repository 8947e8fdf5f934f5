// One Verifier that issues passports about this machine, and the last one that it has issued.
#pragma once

#include "appraisal/transport/verifier_client.hpp"
#include "attester/passport_presenter.hpp"
#include "attester/passport_schedule.hpp"

#include <mutex>

namespace atls {

class passport_issuer {
 public:
  using shared_options = std::shared_ptr<const passport_presenter_options>;

  /// Throws atls::error as verifier_client does, and for an identity that is too long.
  passport_issuer(boost::asio::io_context& io, shared_options options, verifier_options by);

  // From any thread.

  std::string identity() const { return client_.identity(); }
  attestation_scheme scheme() const { return attestation_scheme::result_of(identity()); }
  bool has_valid() const;
  /// Its CMW: passport_unavailable or passport_expired.
  result<bytes> current() const;
  /// {"verifier", "fresh", "valid_until", "last_failure"}
  json describe() const;
  /// Evidence for this Verifier, bound to `nonce` and checked by its scheme. Suspends an ASYNC_JOB,
  /// blocks elsewhere. verifier_evidence_type if this machine has none for it.
  result<submission> gather(bytes nonce, steady_time deadline) const;

  // On the io_context's thread, where `self` lives as long as they do.

  /// Renews for ever; `tried` is told after the first attempt.
  static boost::asio::awaitable<void> keep_current(std::shared_ptr<passport_issuer> self,
                                                   std::shared_ptr<pending<bool>> tried);
  /// A passport for one handshake.
  static boost::asio::awaitable<result<bytes>> issue_fresh(std::shared_ptr<passport_issuer> self,
                                                           submission evidence);
  boost::asio::awaitable<result<void>> check(steady_time deadline) {
    return client_.check(deadline);
  }

 private:
  struct passport {
    bytes cmw;
    std::chrono::system_clock::time_point valid_until;
  };

  /// What this machine can show this Verifier.
  struct evidence_type {
    attestation_scheme offered;
    std::shared_ptr<const evidence_scheme> scheme;
  };
  result<bytes> nonce_for(const evidence_scheme& scheme) const;
  result<evidence_type> type_for_it() const;
  boost::asio::awaitable<void> renew();
  boost::asio::awaitable<result<passport>> obtain();
  boost::asio::awaitable<result<passport>> issue(submission evidence);
  void settle(result<passport> outcome);
  void note(std::optional<failure> last_failure);

  boost::asio::io_context& io_;
  const shared_options options_;
  verifier_client client_;
  passport_schedule schedule_;
  mutable std::mutex mutex_;
  std::optional<passport> passport_;     // under the mutex
  std::optional<failure> last_failure_;  // under the mutex
};

}  // namespace atls
