// SSL_CTX for one tunnel: TLS 1.3 only, no 0-RTT, attestation callbacks installed.
#pragma once

#include "tls/certificates.hpp"
#include "tls/resumption.hpp"
#include "tls/settings.hpp"

#include <set>

#include <openssl/ssl.h>

namespace atls::tls {

using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, openssl_deleter<SSL_free>>;

/// Immutable; shared by the connections of a tunnel on all threads.
class context {
 public:
  /// Throws atls::error: certificate and key that do not fit, unreadable trust anchors, ...
  explicit context(settings s);

  ssl_ptr new_ssl() const;
  const settings& configured() const noexcept { return settings_; }
  /// Whether a peer that another configuration admitted would be admitted by this one: trust
  /// anchor, name, revocation, attestation (judge_again()). The failure is the one its handshake
  /// would have.
  result<void> judge_again(const judged_peer& peer) const;

  /// When the first of the revocation lists ceases to be current, and with it refuses peers; never
  /// if there are none.
  std::chrono::system_clock::time_point revocation_lists_end() const;

  /// A client's newest session, which new_ssl() offers.
  resumption::slot& newest_session() const noexcept { return newest_session_; }

 private:
  result<std::string> judge_chain_again(const judged_peer& peer) const;

  const settings settings_;
  ssl_ctx_ptr ctx_;
  /// SHA-256 of each trust anchor.
  std::set<bytes> anchors_;
  std::vector<crl_ptr> revocation_lists_;
  mutable resumption::slot newest_session_;
};

}  // namespace atls::tls
