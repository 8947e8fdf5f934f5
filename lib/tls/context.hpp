// SSL_CTX for one tunnel: TLS 1.3 only, no 0-RTT, attestation callbacks installed.
#pragma once

#include "tls/resumption.hpp"
#include "tls/settings.hpp"

#include <filesystem>

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
  /// A client's newest session, which new_ssl() offers.
  resumption::slot& newest_session() const noexcept { return newest_session_; }

 private:
  const settings settings_;
  ssl_ctx_ptr ctx_;
  mutable resumption::slot newest_session_;
};

/// A PEM chain, leaf first. certificate_invalid with the file's name.
result<std::vector<x509_ptr>> read_chain(const std::filesystem::path& file, OSSL_LIB_CTX* library);

/// A PEM private key.
result<pkey_ptr> read_private_key(const std::filesystem::path& file, OSSL_LIB_CTX* library);

/// An envelope for a key that is trusted by attestation alone.
result<x509_ptr> self_signed(EVP_PKEY* key, OSSL_LIB_CTX* library);

}  // namespace atls::tls
