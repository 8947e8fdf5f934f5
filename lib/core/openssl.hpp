// Owning pointers for OpenSSL types, and the few helpers every layer needs.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/x509.h>

namespace atls {

template <auto Free>
struct openssl_deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using bio_ptr = std::unique_ptr<BIO, openssl_deleter<BIO_free_all>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, openssl_deleter<EVP_PKEY_free>>;
using pkey_ctx_ptr = std::unique_ptr<EVP_PKEY_CTX, openssl_deleter<EVP_PKEY_CTX_free>>;
using md_ctx_ptr = std::unique_ptr<EVP_MD_CTX, openssl_deleter<EVP_MD_CTX_free>>;
using md_ptr = std::unique_ptr<EVP_MD, openssl_deleter<EVP_MD_free>>;
using kdf_ptr = std::unique_ptr<EVP_KDF, openssl_deleter<EVP_KDF_free>>;
using kdf_ctx_ptr = std::unique_ptr<EVP_KDF_CTX, openssl_deleter<EVP_KDF_CTX_free>>;
using x509_ptr = std::unique_ptr<X509, openssl_deleter<X509_free>>;
using store_ctx_ptr = std::unique_ptr<OSSL_STORE_CTX, openssl_deleter<OSSL_STORE_close>>;
using store_info_ptr = std::unique_ptr<OSSL_STORE_INFO, openssl_deleter<OSSL_STORE_INFO_free>>;
using lib_ctx_ptr = std::unique_ptr<OSSL_LIB_CTX, openssl_deleter<OSSL_LIB_CTX_free>>;
using provider_ptr = std::unique_ptr<OSSL_PROVIDER, openssl_deleter<OSSL_PROVIDER_unload>>;

/// Everything in this thread's OpenSSL error queue, newest last; empties the queue.
std::string openssl_errors();

/// SHA-256, SHA-384 or SHA-512 of `data`; `algorithm` is OpenSSL's name. Throws on a bad name.
bytes digest(const char* algorithm, bytes_view data);

/// DER SubjectPublicKeyInfo of a key (RFC 5280 section 4.1).
result<bytes> spki_of(EVP_PKEY* key);
result<bytes> spki_of(const X509* certificate);

/// A public key from DER SubjectPublicKeyInfo; nothing may follow it.
result<pkey_ptr> key_from_spki(bytes_view der);

/// PEM text, all of it ("-----BEGIN PUBLIC KEY-----", ...).
std::string spki_to_pem(bytes_view der);
result<bytes> spki_from_pem(std::string_view pem);

}  // namespace atls
