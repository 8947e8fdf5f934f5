// Who may pass bytes through a tunnel.
#pragma once

#include "tls/handshake.hpp"

namespace atls::proxy {

/// A peer whose handshake is over and whom the tunnel's policy admits. The relay takes nothing
/// else, so bytes of an unappraised peer cannot be forwarded by mistake.
class admitted_peer {
 public:
  /// Of a finished handshake: where the tunnel requires attestation, only with an attested_peer.
  static result<admitted_peer> admit(const tls::handshake& finished) {
    if (finished.demands_attestation() && !finished.peer()->attested) {
      return failure(errc::peer_not_attested);
    }
    return admitted_peer(finished.peer());
  }

  /// Empty only if the tunnel does not require attestation.
  const std::optional<attested_peer>& attested() const noexcept { return judged_->attested; }
  /// What its handshake, or the one that it resumed, found out.
  const tls::judged_peer& judged() const noexcept { return *judged_; }
  /// The configured name that its certificate bears; empty without PKI.
  const std::string& name() const noexcept { return judged_->name; }

 private:
  explicit admitted_peer(std::shared_ptr<const tls::judged_peer> judged)
      : judged_(std::move(judged)) {}

  std::shared_ptr<const tls::judged_peer> judged_;
};

}  // namespace atls::proxy
