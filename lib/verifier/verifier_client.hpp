// Evidence in, signed Attestation Result out: one Verifier with Veraison's challenge-response API.
#pragma once

#include "evidence/jose.hpp"
#include "verifier/circuit_breaker.hpp"
#include "verifier/http_client.hpp"
#include "verifier/result_keys.hpp"
#include "verifier/verifier_options.hpp"

#include <map>

#include <boost/asio/steady_timer.hpp>

namespace atls {

/// Used on the thread of its io_context only.
class verifier_client {
 public:
  /// Throws atls::error if a file cannot be used or the URL does not fit.
  verifier_client(boost::asio::io_context& io, verifier_options options);

  /// A session for the nonce, the Evidence submitted to it (polled if the Verifier takes its time),
  /// the Attestation Result as the Verifier sent it: a compact JWS, not yet checked.
  boost::asio::awaitable<result<std::string>> submit(bytes nonce, std::string media_type,
                                                     bytes evidence, steady_time deadline);

  /// The keys that Attestation Results may be signed with, newest first.
  boost::asio::awaitable<result<result_keys::list>> keys(steady_time deadline);
  /// The same after discovery, for a result that none of keys() has signed; with a configured key,
  /// or soon after the last discovery, there is nothing new.
  boost::asio::awaitable<result<result_keys::list>> newer_keys(steady_time deadline);

  /// Whether it may be asked now: not while it rests after failures.
  bool admits() noexcept { return breaker_.admits(std::chrono::steady_clock::now()); }
  bool is_resting() const noexcept { return breaker_.is_open(); }
  std::string name() const { return http_.where().origin(); }
  /// Whether it answers, by its discovery document; what it answers does not matter.
  boost::asio::awaitable<result<void>> reach(steady_time deadline);

  /// HTTP requests sent.
  std::uint64_t requests() const noexcept { return http_.requests(); }
  /// Calls of submit() that have ended, by reason.
  const std::map<errc, std::uint64_t>& submissions() const noexcept { return submissions_; }

 private:
  struct open_session {
    std::string path;
    std::vector<std::string> accept;
  };
  boost::asio::awaitable<result<open_session>> new_session(bytes nonce, steady_time deadline);
  boost::asio::awaitable<result<std::string>> appraise(std::string path, std::string media_type,
                                                       bytes evidence, steady_time deadline);
  boost::asio::awaitable<result<http_reply>> get_discovery(steady_time deadline);
  boost::asio::awaitable<result<void>> discover(steady_time deadline);
  boost::asio::awaitable<result<void>> discover_once(steady_time deadline);
  failure rejected(const http_reply& answer, const std::string& doing) const;
  void note_outcome(const result<std::string>& outcome);

  boost::asio::io_context& io_;
  http_client http_;
  circuit_breaker breaker_;
  std::map<errc, std::uint64_t> submissions_;

  const bool has_configured_key_;
  result_keys keys_;
  std::string new_session_path_;
  steady_time discovered_until_{};
  steady_time last_discovery_{};
  /// Discovery is under way; its end cancels the timer.
  bool is_discovering_ = false;
  boost::asio::steady_timer discovered_;
};

}  // namespace atls
