// The extension "remoteAttestation" of one handshake: in which messages it stands, what it says
// there, what the peer's said (draft-fossati-seat-early-attestation-08 section 5).
#pragma once

#include "tls/negotiation.hpp"

#include <openssl/ssl.h>

namespace atls::tls {

/// Belongs to one SSL, which calls it; negotiation decides, this sends and receives.
class attestation_extension {
 public:
  /// The handshake that it is a part of.
  class owner {
   public:
    virtual ~owner() = default;
    /// A CMW about this machine by the scheme that was agreed upon, for this certificate of its
    /// own.
    virtual result<bytes> present(const attestation_scheme& by, const X509* certificate) = 0;
    /// Why the handshake fails: what libssl tells the peer is an alert, and no more.
    virtual void refuse(failure why) = 0;
  };

  /// Registers the extension under this code for all SSLs of the context. Throws atls::error if the
  /// number is libssl's own.
  static void install(SSL_CTX* context, std::uint16_t code);

  explicit attestation_extension(owner& of) : owner_(of) {}
  /// Makes this the extension of `ssl`, which it must outlive.
  void attach(SSL* ssl, attestation_terms terms);

  /// A ClientHello is sent or comes.
  void begin() { negotiation_.begin(); }
  /// What was offered and chosen.
  const negotiation& negotiated() const noexcept { return negotiation_; }
  /// What the peer's first CertificateEntry had; nullopt until it has come, or if there was none.
  std::optional<bytes>& peer_cmw() noexcept { return peer_cmw_; }

 private:
  static attestation_extension& of(const SSL* ssl);
  static int add(SSL* ssl, unsigned code, unsigned context, const unsigned char** out,
                 std::size_t* out_size, X509* certificate, std::size_t index, int* alert,
                 void*) noexcept;
  static void free_added(SSL*, unsigned, unsigned, const unsigned char* out, void*) noexcept;
  static int parse(SSL* ssl, unsigned code, unsigned context, const unsigned char* in,
                   std::size_t size, X509* certificate, std::size_t index, int* alert,
                   void*) noexcept;

  /// The body in this message (SSL_EXT_...), nullopt for none.
  result<std::optional<bytes>> body_to_send(unsigned context, X509* certificate);
  result<void> body_received(unsigned context, bytes_view body, std::size_t index);

  owner& owner_;
  SSL* ssl_ = nullptr;
  negotiation negotiation_;
  std::optional<bytes> peer_cmw_;
};

}  // namespace atls::tls
