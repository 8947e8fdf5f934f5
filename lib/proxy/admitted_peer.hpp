// Who may pass bytes through a tunnel.
#pragma once

#include "tls/handshake.hpp"

#include <optional>

namespace atls::proxy {

/// A peer whose handshake is over and whom the tunnel's policy admits. The relay takes nothing
/// else, so bytes of an unappraised peer cannot be forwarded by mistake.
class admitted_peer {
 public:
  /// Of a finished handshake: where the tunnel requires attestation, only with an attested_peer.
  static result<admitted_peer> admit(tls::handshake& finished) {
    auto attested = finished.take_attested_peer();
    if (finished.demands_attestation() && !attested) {
      return failure(errc::peer_not_attested);
    }
    return admitted_peer(std::move(attested), finished.peer_name());
  }

  /// Empty only if the tunnel does not require attestation.
  const std::optional<attested_peer>& attested() const noexcept { return attested_; }
  /// The configured name that its certificate bears; empty without PKI.
  const std::string& name() const noexcept { return name_; }

 private:
  admitted_peer(std::optional<attested_peer> attested, std::string name)
      : attested_(std::move(attested)), name_(std::move(name)) {}

  std::optional<attested_peer> attested_;
  std::string name_;
};

}  // namespace atls::proxy
