#include "tls/context.hpp"

#include "core/files.hpp"
#include "tls/handshake.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

namespace atls::tls {
namespace {

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
  if (!settings_.groups.empty() && SSL_CTX_set1_groups_list(ctx, settings_.groups.c_str()) != 1) {
    fail(errc::config_invalid, "\"groups\": \"" + settings_.groups +
                                   "\"; expected OpenSSL's names, such as \"X25519:P-256\"");
  }
  use_identity(ctx, settings_);
  const bool judges_peer = settings_.require_attestation || !settings_.ca_file.empty();
  SSL_CTX_set_verify(ctx,
                     settings_.role == role::client || judges_peer
                         ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                         : SSL_VERIFY_NONE,
                     nullptr);
  if (!settings_.ca_file.empty() && SSL_CTX_load_verify_file(ctx, settings_.ca_file.c_str()) != 1) {
    fail(errc::config_invalid,
         "\"" + settings_.ca_file + "\" holds no trust anchors; expected PEM certificates");
  }
  handshake::install(ctx);
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

result<std::vector<x509_ptr>> read_chain(const std::filesystem::path& file, OSSL_LIB_CTX* library) {
  ATLS_TRY(const auto pem, read_file(file, errc::certificate_invalid));
  const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<x509_ptr> out;
  for (;;) {
    X509* certificate = X509_new_ex(library, nullptr);
    if (PEM_read_bio_X509(bio.get(), &certificate, nullptr, nullptr) == nullptr) {
      X509_free(certificate);
      break;
    }
    out.emplace_back(certificate);
  }
  const auto why = openssl_errors();
  if (out.empty()) {
    return failure(errc::certificate_invalid, file.string() + " holds no PEM certificate: " + why);
  }
  return out;
}

result<pkey_ptr> read_private_key(const std::filesystem::path& file, OSSL_LIB_CTX* library) {
  ATLS_TRY(const auto pem, read_file(file, errc::certificate_invalid));
  const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  pkey_ptr key(PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, nullptr, nullptr, library, nullptr));
  if (!key) {
    return failure(errc::certificate_invalid,
                   file.string() + " holds no PEM private key: " + openssl_errors());
  }
  return key;
}

result<x509_ptr> self_signed(EVP_PKEY* key, OSSL_LIB_CTX* library) {
  x509_ptr certificate(X509_new_ex(library, nullptr));
  X509* x = certificate.get();
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  X509_NAME* name = X509_get_subject_name(x);
  constexpr long ten_years = 10L * 365 * 24 * 3600;
  const EVP_MD* md = EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256();
  const bool ok = X509_set_version(x, X509_VERSION_3) == 1 &&
                  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
                  X509_gmtime_adj(X509_getm_notBefore(x), -3600) != nullptr &&
                  X509_gmtime_adj(X509_getm_notAfter(x), ten_years) != nullptr &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                             reinterpret_cast<const unsigned char*>("attested TLS"),
                                             -1, -1, 0) == 1 &&
                  X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
                  X509_sign(x, key, md) != 0;
  if (!ok) {
    return failure(errc::identity_invalid,
                   "no certificate can be made for the key: " + openssl_errors());
  }
  return certificate;
}

}  // namespace atls::tls
