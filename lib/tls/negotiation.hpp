// Who presents what in one handshake (draft-fossati-seat-early-attestation-08 sections 6 and 7).
// Pure: bodies of the extension in, bodies or a reason out.
#pragma once

#include "tls/remote_attestation.hpp"

#include <optional>

namespace atls::tls {

/// What one side can do and wants, best first. Neither list: it does not know the extension.
struct attestation_terms {
  attestation_schemes presents;
  attestation_schemes accepts;
  /// The peer must present one of `accepts`.
  bool demands = false;

  bool are_empty() const noexcept { return presents.empty() && accepts.empty(); }
};

/// One side's. A HelloRetryRequest negotiates anew: begin() again.
class negotiation {
 public:
  explicit negotiation(attestation_terms own = {}) : terms_(std::move(own)) {}

  /// A ClientHello is sent or comes.
  void begin();

  // A client's.

  /// The body in its ClientHello.
  std::optional<bytes> offer() const;
  /// In EncryptedExtensions: what the server will present.
  result<void> server_presents(bytes_view body);
  /// In a CertificateRequest: what this side is to present.
  result<void> server_demands(bytes_view body);

  // A server's.

  /// In the ClientHello. A resumed session presents nothing: whatever was offered will do.
  result<void> receive_offer(bytes_view body, bool is_resumed);
  /// The body in its EncryptedExtensions.
  std::optional<bytes> own_choice() const;
  /// The body in its CertificateRequest; peer_not_attested if the client offered nothing at all.
  result<std::optional<bytes>> demand() const;

  // Either's.

  /// The body in the peer's CertificateEntry `index` is expected there.
  result<void> expects_payload(std::size_t index) const;
  const attestation_terms& terms() const noexcept { return terms_; }
  /// What this side presents, and the peer.
  const std::optional<attestation_scheme>& own() const noexcept { return own_; }
  const std::optional<attestation_scheme>& peer() const noexcept { return peer_; }
  /// Of a peer whose Certificate has come without a payload.
  std::string why_not_attested() const;

 private:
  failure nothing_in_common() const;

  attestation_terms terms_;
  /// A server's: what the client has sent.
  offered_schemes offer_;
  bool has_offer_ = false;
  std::optional<attestation_scheme> own_;
  std::optional<attestation_scheme> peer_;
};

}  // namespace atls::tls
