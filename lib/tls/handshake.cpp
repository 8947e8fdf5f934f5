#include "tls/handshake.hpp"

#include "core/attempt.hpp"
#include "core/certificates.hpp"
#include "tls/alerts.hpp"
#include "tls/peer_judgement.hpp"

namespace atls::tls {
namespace {

using clock = std::chrono::steady_clock;

attestation_terms terms_of(const settings& s) {
  attestation_terms out;
  // Where a certificate will do, not to agree upon anything is no failure yet.
  out.demands = s.appraiser && !s.appraiser->takes_certificates();
  if (s.presenter) {
    out.presents = s.presenter->offers();
  }
  if (s.appraiser) {
    out.accepts = s.appraiser->accepts();
  }
  return out;
}

}  // namespace

void handshake::install(SSL_CTX* context, std::uint16_t extension_code) {
  attestation_extension::install(context, extension_code);
  SSL_CTX_set_msg_callback(context, see_message);
  SSL_CTX_set_keylog_callback(context, see_secret);
  SSL_CTX_set_cert_verify_callback(context, verify_certificate, nullptr);
}

void handshake::attach(SSL* ssl, const settings& s) {
  ssl_ = ssl;
  settings_ = &s;
  SSL_set_app_data(ssl, this);
  extension_.attach(ssl, terms_of(s));
}

handshake& handshake::of(const SSL* ssl) {
  return *static_cast<handshake*>(SSL_get_app_data(ssl));
}

void handshake::refuse(failure why) {
  if (!refusal_) {
    refusal_ = std::move(why);
  }
}

void handshake::see_message(int is_write, int, int content_type, const void* data, std::size_t size,
                            SSL* ssl, void*) noexcept {
  if (content_type != SSL3_RT_HANDSHAKE || size == 0) {
    return;
  }
  constexpr std::uint8_t client_hello = 1;
  constexpr std::uint8_t new_session_ticket = 4;
  constexpr std::uint8_t finished = 20;
  handshake& self = of(ssl);
  const bytes_view message(static_cast<const std::uint8_t*>(data), size);
  if (message[0] == client_hello) {
    // A second one, after a HelloRetryRequest, negotiates anew, also if it lacks the extension.
    self.extension_.begin();
  }
  if (self.is_server() && message[0] == finished && is_write == 0) {
    self.allow_tickets();
  }
  if (self.is_server() && message[0] == new_session_ticket) {
    ++self.tickets_sent_;
  }
  self.hellos_.add(message);
}

void handshake::allow_tickets() {
  // A resumed session's ticket serves until it expires; a new one would prolong it.
  if (settings_->resumption.count() == 0 || is_resumed() ||
      !resumption::attach(SSL_get_session(ssl_), peer_, settings_->resumption)) {
    SSL_set_num_tickets(ssl_, 0);
  }
}

result<void> handshake::conclude() {
  // libssl would void the session of an SSL that goes without close_notify alerts of its own.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  if (!is_resumed()) {
    return {};
  }
  const auto peer = resumption::peer_of(SSL_get_session(ssl_));
  if (!peer) {
    return failure(errc::resumption_expired);
  }
  peer_ = std::make_shared<judged_peer>(*peer);
  return {};
}

// libssl's only way to hand out traffic secrets is a line of text: label, client random, secret.
// The line is libssl's, which wipes it.
void handshake::see_secret(const SSL* ssl, const char* line) noexcept {
  const std::string_view text(line);
  const auto label = text.substr(0, text.find(' '));
  handshake& self = of(ssl);
  secret* const to = label == "CLIENT_TRAFFIC_SECRET_0"   ? &self.client_traffic_secret_
                     : label == "SERVER_TRAFFIC_SECRET_0" ? &self.server_traffic_secret_
                                                          : nullptr;
  if (to == nullptr) {
    return;
  }
  if (auto value = from_hex(text.substr(text.rfind(' ') + 1));
      value && value->size() <= EVP_MAX_MD_SIZE) {
    *to = secret(*value);
    OPENSSL_cleanse(value->data(), value->size());
  }
}

result<bytes> handshake::present(const attestation_scheme& by, const X509* certificate) {
  ATLS_TRY(const bytes spki, spki_of(certificate));
  ATLS_TRY(const bytes binder, binder_for(spki));
  const auto started = clock::now();
  auto cmw = settings_->presenter->present(by, binder, started + settings_->presentation_timeout);
  evidence_time_ = clock::now() - started;
  return cmw;
}

result<bytes> handshake::binder_for(bytes_view spki) const {
  const SSL_CIPHER* cipher = SSL_get_pending_cipher(ssl_);
  const EVP_MD* md = cipher != nullptr ? SSL_CIPHER_get_handshake_digest(cipher) : nullptr;
  if (md == nullptr) {
    return failure(errc::internal, "no cipher suite has been negotiated");
  }
  return compute_binder(hellos_, md, spki);
}

int handshake::verify_certificate(X509_STORE_CTX* store, void*) noexcept {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  handshake& self = of(ssl);
  X509_STORE_CTX_set_error(store, X509_V_OK);
  const auto judged = guarded([&] { return self.judge(store); });
  if (judged) {
    return 1;
  }
  // PKI leaves the error that says more than our reason does.
  if (X509_STORE_CTX_get_error(store) == X509_V_OK) {
    X509_STORE_CTX_set_error(store, verify_error_for(judged.error().code));
  }
  self.refuse(judged.error());
  return 0;
}

result<void> handshake::judge(X509_STORE_CTX* store) {
  X509* const leaf = X509_STORE_CTX_get0_cert(store);
  ATLS_TRY(const bytes spki, spki_of(leaf));
  if (trace_) {
    X509_up_ref(leaf);
    peer_certificate_.reset(leaf);
    peer_evidence_ = extension_.peer_cmw().value_or(bytes());
  }
  ATLS_CHECK(check_not_reflected(*settings_, spki));
  ATLS_CHECK(judge_chain(*settings_, store, *peer_));
  return judge_attestation(leaf, spki);
}

// A certificate never stands in for what was agreed upon: whoever leaves that out is refused.
result<appraisal_request> handshake::shown_by_peer(const X509* leaf, bytes_view leaf_spki) {
  appraisal_request out{.leaf_spki = to_bytes(leaf_spki), .pki_name = peer_->name, .trace = trace_};
  if (auto& cmw = extension_.peer_cmw()) {
    out.cmw = std::move(*cmw);
    out.scheme = negotiated().peer();
    { ATLS_TRY(out.binder, binder_for(leaf_spki)); }
    return out;
  }
  if (negotiated().peer() || !settings_->appraiser->takes_certificates()) {
    return failure(errc::peer_not_attested, negotiated().why_not_attested());
  }
  out.certificate = der_of(leaf);
  return out;
}

result<void> handshake::judge_attestation(const X509* leaf, bytes_view leaf_spki) {
  if (!settings_->appraiser) {
    return {};
  }
  ATLS_TRY(auto request, shown_by_peer(leaf, leaf_spki));
  const auto started = clock::now();
  awaits_verdict_ = true;
  auto peer = settings_->appraiser->appraise(std::move(request));
  awaits_verdict_ = false;
  appraisal_time_ = clock::now() - started;
  if (!peer) {
    return peer.error();
  }
  peer_->attested.emplace(std::move(*peer));
  return {};
}

}  // namespace atls::tls
