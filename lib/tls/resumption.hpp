// Session resumption within the life of an Attestation Result (RFC 8446 section 2.2).
//
// A resumed handshake carries no Certificate and hence no Evidence, so what the full handshake
// found goes with the session: to the peer's next handshakes in the same tunnel of the same
// configuration, and not past its time or that of the peer's certificate. Off unless configured.
#pragma once

#include "attestation/attested_peer.hpp"
#include "core/openssl.hpp"

#include <mutex>
#include <optional>

#include <openssl/ssl.h>

namespace atls::tls {

using session_ptr = std::unique_ptr<SSL_SESSION, openssl_deleter<SSL_SESSION_free>>;

/// What a full handshake found out about the peer.
struct judged_peer {
  /// The first name of the configuration that its certificate is for; empty without PKI.
  std::string name;
  /// Empty if attestation was not asked for.
  std::optional<attested_peer> attested;
  /// With PKI, for later judgements: its chain (DER, leaf first) up to the trust anchor, of which
  /// the SHA-256 is kept.
  std::vector<bytes> chain;
  bytes anchor;
  /// When the first certificate of the chain does; never without PKI.
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();

  /// Until when, at most `lifetime` from now, its session may be resumed.
  std::chrono::system_clock::time_point resumable_until(std::chrono::seconds lifetime) const;
};

namespace resumption {

/// Lets `session` be resumed, for `lifetime` or as long as Attestation Result and certificate
/// count, less up to 2 seconds. False if that is no time at all.
bool attach(SSL_SESSION* session, std::shared_ptr<const judged_peer> peer,
            std::chrono::seconds lifetime);

/// The peer of a session that may be resumed at a time; null otherwise.
std::shared_ptr<const judged_peer> peer_of(
    const SSL_SESSION* session,
    std::chrono::system_clock::time_point at = std::chrono::system_clock::now());

/// A client's newest session. Any thread.
class slot {
 public:
  void put(session_ptr session);
  /// Null if there is none that may still be resumed.
  session_ptr get() const;

 private:
  mutable std::mutex mutex_;
  session_ptr session_;
};

}  // namespace resumption
}  // namespace atls::tls
