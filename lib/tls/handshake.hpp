// The attestation half of one handshake: what libssl's callbacks note, produce and decide.
#pragma once

#include "tls/attestation_extension.hpp"
#include "tls/binder.hpp"
#include "tls/key_schedule.hpp"
#include "tls/resumption.hpp"
#include "tls/settings.hpp"

#include <optional>

#include <openssl/ssl.h>

namespace atls::tls {

/// Belongs to one SSL, which carries it as application data.
class handshake : private attestation_extension::owner {
 public:
  /// The code and detail of the refusal, once there is one; the first is kept.
  const std::optional<failure>& refusal() const noexcept { return refusal_; }
  /// What libssl did not judge, once it has finished: a resumed session's peer.
  result<void> conclude();
  /// What was found out about the peer, in this handshake or in the one it resumed.
  std::shared_ptr<const judged_peer> peer() const noexcept { return peer_; }
  bool is_resumed() const noexcept { return SSL_session_reused(ssl_) == 1; }
  /// Records that libssl sealed behind a server's handshake, one each.
  unsigned tickets_sent() const noexcept { return tickets_sent_; }
  std::chrono::nanoseconds evidence_time() const noexcept { return evidence_time_; }
  std::chrono::nanoseconds appraisal_time() const noexcept { return appraisal_time_; }

  /// The secrets of the application data's first keys (RFC 8446 section 7.1), once finished.
  const secret& client_traffic_secret() const noexcept { return client_traffic_secret_; }
  const secret& server_traffic_secret() const noexcept { return server_traffic_secret_; }

  /// To be called before the handshake: what the appraisal learns is noted there, and the peer's
  /// certificate and Evidence are kept.
  void trace(std::shared_ptr<appraisal_trace> to) noexcept { trace_ = std::move(to); }
  /// With trace(): null or empty until they have come.
  const X509* peer_certificate() const noexcept { return peer_certificate_.get(); }
  const bytes& peer_evidence() const noexcept { return peer_evidence_; }
  /// What was offered and chosen.
  const negotiation& negotiated() const noexcept { return extension_.negotiated(); }
  const SSL* ssl() const noexcept { return ssl_; }

  /// Whether its suspension is for the verdict on the peer.
  bool awaits_verdict() const noexcept { return awaits_verdict_; }
  bool demands_attestation() const noexcept { return settings_->appraiser != nullptr; }

  /// Registers the extension under this code, message and verify callbacks. Throws atls::error.
  static void install(SSL_CTX* context, std::uint16_t extension_code);
  /// Makes `this` the attestation half of `ssl`; `s` must outlive it.
  void attach(SSL* ssl, const settings& s);

 private:
  static handshake& of(const SSL* ssl);
  static void see_message(int is_write, int version, int content_type, const void* data,
                          std::size_t size, SSL* ssl, void*) noexcept;
  static void see_secret(const SSL* ssl, const char* line) noexcept;
  static int verify_certificate(X509_STORE_CTX* store, void*) noexcept;

  result<bytes> present(const attestation_scheme& by, const X509* certificate) override;
  void refuse(failure why) override;
  /// Everything about the peer's certificate: reflection, PKI, attestation.
  result<void> judge(X509_STORE_CTX* store);
  result<void> judge_attestation(const X509* leaf, bytes_view leaf_spki);
  /// What the peer shows of itself; peer_not_attested.
  result<appraisal_request> shown_by_peer(const X509* leaf, bytes_view leaf_spki);
  /// A server's, before libssl would send tickets.
  void allow_tickets();
  result<bytes> binder_for(bytes_view spki) const;
  bool is_server() const noexcept { return settings_->role == role::server; }

  SSL* ssl_ = nullptr;
  const settings* settings_ = nullptr;
  hello_transcript hellos_;
  attestation_extension extension_{*this};
  std::shared_ptr<appraisal_trace> trace_;
  x509_ptr peer_certificate_;
  bytes peer_evidence_;
  std::shared_ptr<judged_peer> peer_ = std::make_shared<judged_peer>();
  unsigned tickets_sent_ = 0;
  secret client_traffic_secret_;
  secret server_traffic_secret_;
  std::optional<failure> refusal_;
  bool awaits_verdict_ = false;
  std::chrono::nanoseconds evidence_time_{0};
  std::chrono::nanoseconds appraisal_time_{0};
};

}  // namespace atls::tls
