#include "tls/context.hpp"

#include "core/certificates.hpp"
#include "tls/groups.hpp"
#include "tls/handshake.hpp"

#include <algorithm>

namespace atls::tls {
namespace {

using clock = std::chrono::system_clock;

// SHA-256 suites first: their 32-byte binder fits the smallest TPM's extraData.
constexpr const char* cipher_suites =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

[[noreturn]] void fail(errc code, const std::string& what) {
  throw error({code, what + ": " + openssl_errors()});
}

void use_identity(SSL_CTX* ctx, const settings& s) {
  if (!s.key) {
    return;
  }
  if (s.chain.empty()) {
    fail(errc::certificate_invalid, "a key without a certificate");
  }
  if (SSL_CTX_use_certificate(ctx, s.chain.front().get()) != 1) {
    fail(errc::certificate_invalid, "the certificate cannot be used");
  }
  if (X509_check_private_key(s.chain.front().get(), s.key.get()) != 1) {
    (void)openssl_errors();
    throw error({errc::certificate_invalid,
                 "the certificate is for another key; with \"attester\": \"tpm\" it must be issued "
                 "for the key in the TPM: openssl req -provider atls -provider default -new -key "
                 "atls:tik makes the request"});
  }
  if (SSL_CTX_use_PrivateKey(ctx, s.key.get()) != 1) {
    fail(errc::certificate_invalid, "the private key cannot be used");
  }
  for (std::size_t i = 1; i < s.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(ctx, s.chain[i].get()) != 1) {
      fail(errc::certificate_invalid, "a certificate of the chain cannot be used");
    }
  }
}

int keep_session(SSL* ssl, SSL_SESSION* session) noexcept {
  constexpr int kept = 1;
  constexpr int not_kept = 0;
  const auto* self = static_cast<const context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const auto* attestation = static_cast<const handshake*>(SSL_get_app_data(ssl));
  if (!resumption::attach(session, attestation->peer(), self->configured().resumption)) {
    return not_kept;
  }
  self->newest_session().put(session_ptr(session));
  return kept;
}

// Stateful: a session dies with this context, so a reload or a restart voids it, and no ticket key
// exists that could leak.
void allow_resumption(SSL_CTX* ctx, role ours) {
  if (ours == role::client) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    return;
  }
  constexpr long max_sessions = 4096;
  constexpr unsigned char id_context[] = "atlsd";
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(ctx, max_sessions);
  SSL_CTX_set_session_id_context(ctx, id_context, sizeof id_context);
  SSL_CTX_set_num_tickets(ctx, 1);
}

std::set<bytes> fingerprints_of_anchors(SSL_CTX* ctx) {
  const auto* objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
  std::set<bytes> out;
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    if (const X509* one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i))) {
      out.insert(fingerprint_of(one));
    }
  }
  return out;
}

// With CRL_CHECK_ALL a revoked authority between peer and trust anchor is noticed as well. A list
// that is missing or not current fails the handshake.
std::vector<crl_ptr> use_revocation_lists(SSL_CTX* ctx, const std::vector<std::string>& files) {
  X509_STORE* const store = SSL_CTX_get_cert_store(ctx);
  std::vector<crl_ptr> out;
  for (const auto& file : files) {
    for (auto& list : read_crls(file).value()) {
      if (X509_STORE_add_crl(store, list.get()) != 1) {
        fail(errc::config_invalid, file + " holds a revocation list that cannot be used");
      }
      out.push_back(std::move(list));
    }
  }
  if (!out.empty()) {
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  return out;
}

clock::time_point end_of(const X509_CRL* list) {
  const ASN1_TIME* const next_update = X509_CRL_get0_nextUpdate(list);
  return next_update != nullptr ? to_time(next_update) : clock::time_point::max();
}

// A signature that a handshake has checked is not checked again: a reload looks at all live
// connections in one go.
result<void> look_up(const std::vector<crl_ptr>& lists, X509* certificate) {
  constexpr int revoked = 1;
  bool is_covered = false;
  for (const auto& list : lists) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_issuer_name(certificate)) != 0) {
      continue;
    }
    X509_REVOKED* entry = nullptr;
    if (X509_CRL_get0_by_cert(list.get(), &entry, certificate) == revoked) {
      return failure(errc::pki_revoked);
    }
    is_covered = is_covered || clock::now() < end_of(list.get());
  }
  return is_covered ? result<void>()
                    : failure(errc::pki_untrusted, "its issuer has no current revocation list");
}

}  // namespace

context::context(settings s)
    : settings_(std::move(s)),
      ctx_(SSL_CTX_new_ex(
          settings_.library, nullptr,
          settings_.role == role::server ? TLS_server_method() : TLS_client_method())) {
  SSL_CTX* ctx = ctx_.get();
  if (ctx == nullptr || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(ctx, cipher_suites) != 1 || SSL_CTX_set_num_tickets(ctx, 0) != 1) {
    fail(errc::internal, "TLS context");
  }
  // NO_TICKET: a ticket, if there is one at all, names a session that stays here.
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  if (settings_.resumption.count() != 0) {
    SSL_CTX_set_app_data(ctx, this);
    allow_resumption(ctx, settings_.role);
  }
  // Without NO_AUTO_CHAIN libssl builds a chain from the peer's trust anchors for each handshake,
  // and sends it.
  SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
  use_groups(ctx, settings_.groups);
  use_identity(ctx, settings_);
  const bool judges_peer = settings_.appraiser || !settings_.ca_file.empty();
  SSL_CTX_set_verify(ctx,
                     settings_.role == role::client || judges_peer
                         ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                         : SSL_VERIFY_NONE,
                     nullptr);
  if (!settings_.ca_file.empty() && SSL_CTX_load_verify_file(ctx, settings_.ca_file.c_str()) != 1) {
    fail(errc::config_invalid,
         "\"" + settings_.ca_file + "\" holds no trust anchors; expected PEM certificates");
  }
  anchors_ = fingerprints_of_anchors(ctx);
  revocation_lists_ = use_revocation_lists(ctx, settings_.crl_files);
  handshake::install(ctx, settings_.extension_code);
}

// The name that the peer's certificate is for; empty if none is configured.
result<std::string> context::judge_chain_again(const judged_peer& peer) const {
  if (peer.chain.empty() || !anchors_.contains(peer.anchor)) {
    return failure(errc::pki_untrusted, "its trust anchor is not configured any more");
  }
  if (clock::now() >= peer.expires) {
    return failure(errc::pki_expired);
  }
  for (std::size_t i = 0; i < peer.chain.size() && !revocation_lists_.empty(); ++i) {
    ATLS_CHECK(look_up(revocation_lists_, certificate_from_der(peer.chain[i]).get()));
  }
  return name_of_certificate(certificate_from_der(peer.chain.front()).get(), settings_.names);
}

result<void> context::judge_again(const judged_peer& peer) const {
  const auto& s = settings_;
  std::string name;
  if (!s.ca_file.empty()) {
    ATLS_TRY(name, judge_chain_again(peer));
  }
  if (!s.appraiser) {
    return {};
  }
  return peer.attested ? s.appraiser->judge_again(*peer.attested, name)
                       : result<void>(failure(errc::peer_not_attested));
}

clock::time_point context::revocation_lists_end() const {
  auto out = clock::time_point::max();
  for (const auto& list : revocation_lists_) {
    out = std::min(out, end_of(list.get()));
  }
  return out;
}

ssl_ptr context::new_ssl() const {
  ssl_ptr ssl(SSL_new(ctx_.get()));
  if (!ssl) {
    fail(errc::internal, "SSL_new");
  }
  if (settings_.role == role::server) {
    SSL_set_accept_state(ssl.get());
    return ssl;
  }
  SSL_set_connect_state(ssl.get());
  if (!settings_.names.empty() && settings_.names.front().find("://") == std::string::npos) {
    SSL_set_tlsext_host_name(ssl.get(), settings_.names.front().c_str());
  }
  if (const auto session = newest_session_.get()) {
    SSL_set_session(ssl.get(), session.get());
  }
  return ssl;
}

}  // namespace atls::tls
