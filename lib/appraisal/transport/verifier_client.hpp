// Evidence in, signed Attestation Result out: one Verifier, whatever its dialect.
#pragma once

#include "appraisal/transport/circuit_breaker.hpp"
#include "appraisal/transport/http_client.hpp"
#include "appraisal/transport/turnstile.hpp"
#include "appraisal/transport/verifier_options.hpp"

#include <map>

namespace atls {

/// Evidence to be appraised, and the scheme that has checked it.
struct submission {
  std::shared_ptr<const evidence_scheme> scheme;
  std::shared_ptr<const statement> evidence;
  /// What the Evidence is bound to.
  bytes nonce;
  /// The Verifier's, if that is where the nonce comes from.
  std::shared_ptr<const verifier_challenge> challenge = nullptr;
  /// Whose it is, for a queue that is fair (core/requester.hpp).
  std::string source;
  /// Whether nobody waits for the result any more.
  std::function<bool()> is_abandoned = [] { return false; };
};

/// Used on the thread of its io_context only.
class verifier_client {
 public:
  /// Throws atls::error if a file cannot be used or the URL does not fit.
  verifier_client(boost::asio::io_context& io, verifier_options options);

  /// What the Verifier wants Evidence of this type about the owner of the leaf key bound to; null
  /// where the caller chooses. Within the Verifier's timeout.
  boost::asio::awaitable<result<std::shared_ptr<const verifier_challenge>>> challenge(
      std::shared_ptr<const evidence_scheme> scheme, bytes leaf_spki);
  /// In its turn: an exchange of the Verifier's dialect, to the Attestation Result as the Verifier
  /// sent it: a JWS or CWT, not yet checked. Within the Verifier's timeout.
  boost::asio::awaitable<result<std::string>> submit(submission what);

  /// The keys that Attestation Results may be signed with, newest first.
  boost::asio::awaitable<result<result_keys::list>> keys(steady_time deadline);
  /// The same after discovery, for a result that none of keys() has signed; with configured keys,
  /// or soon after the last discovery, there is nothing new.
  boost::asio::awaitable<result<result_keys::list>> newer_keys(steady_time deadline);
  /// The configured ones; empty: they come from discovery.
  const result_keys::list& pinned_keys() const noexcept { return options_.pinned_keys; }

  const verifier_dialect& dialect() const noexcept { return *dialect_; }
  /// Whether it is to appraise such Evidence.
  bool takes(const evidence_scheme& scheme) const;
  /// Whether also a peer's, which is bound to a handshake.
  bool judges(const evidence_scheme& scheme) const {
    return takes(scheme) && !chooses_nonce(options_.type);
  }
  /// Whether it may be asked now: not while it rests after failures.
  bool admits() noexcept { return breaker_.admits(std::chrono::steady_clock::now()); }
  bool is_resting() const noexcept { return breaker_.is_open(); }
  std::string name() const { return http_.where().origin(); }
  /// How passports name it.
  std::string identity() const;
  std::chrono::milliseconds timeout() const noexcept { return options_.timeout; }
  /// Whether its discovery document says that it is at work, asked over a connection of its own.
  boost::asio::awaitable<result<void>> check(steady_time deadline);

  /// HTTP requests sent.
  std::uint64_t requests() const noexcept { return http_.requests() + check_http_.requests(); }
  /// Calls of submit() that have ended, by reason.
  const std::map<errc, std::uint64_t>& submissions() const noexcept { return submissions_; }

 private:
  /// When an attempt must be over, and whether that leaves the Verifier enough time.
  struct time_left {
    steady_time deadline;
    bool is_fair;
  };
  boost::asio::awaitable<result<std::string>> submit_in_turn(submission what);
  boost::asio::awaitable<result<std::string>> run(std::unique_ptr<appraisal_exchange> exchange,
                                                  time_left time);
  boost::asio::awaitable<result<verifier_discovery>> get_discovery(http_client& over,
                                                                   verifier_dialect& of,
                                                                   steady_time deadline);
  boost::asio::awaitable<result<void>> discover(steady_time deadline);
  boost::asio::awaitable<result<void>> discover_once(steady_time deadline);
  /// A dialect's failure, with the Verifier's name.
  failure named(failure why) const;
  /// Holds it against the Verifier if it is the Verifier's; the failure to report.
  failure blame(failure why, const time_left& time);
  bool has_pinned_keys() const noexcept { return !options_.pinned_keys.empty(); }

  boost::asio::io_context& io_;
  const verifier_options options_;
  http_client http_;
  http_client check_http_;
  std::unique_ptr<verifier_dialect> dialect_;
  turnstile turns_;
  circuit_breaker breaker_;
  std::map<errc, std::uint64_t> submissions_;

  /// Of discovery.
  result_keys keys_;
  steady_time discovered_until_{};
  steady_time last_discovery_{};
  /// One discovery at a time.
  turnstile discovering_;
};

}  // namespace atls
