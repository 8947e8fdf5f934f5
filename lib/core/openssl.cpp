#include "core/openssl.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace atls {
namespace {

result<bytes> take_der(unsigned char* der, int size) {
  if (size <= 0) {
    return failure(errc::certificate_invalid, openssl_errors());
  }
  bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

std::string openssl_errors() {
  std::string out;
  const char* data = nullptr;
  int flags = 0;
  while (const auto code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    const char* text = ERR_reason_error_string(code);
    out.append(out.empty() ? "" : "; ").append(text != nullptr ? text : "unknown error");
    if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
      out.append(": ").append(data);
    }
  }
  return out;
}

bytes digest(const char* algorithm, bytes_view data) {
  bytes out(EVP_MAX_MD_SIZE);
  std::size_t size = 0;
  if (EVP_Q_digest(nullptr, algorithm, nullptr, data.data(), data.size(), out.data(), &size) != 1) {
    throw error({errc::internal, std::string("digest ") + algorithm + ": " + openssl_errors()});
  }
  out.resize(size);
  return out;
}

result<bytes> spki_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  return take_der(der, size);
}

result<bytes> spki_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  return take_der(der, size);
}

result<pkey_ptr> key_from_spki(bytes_view der) {
  const unsigned char* cursor = der.data();
  pkey_ptr key(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(der.size())));
  if (!key || cursor != der.data() + der.size()) {
    return failure(errc::certificate_invalid, "not a SubjectPublicKeyInfo: " + openssl_errors());
  }
  return key;
}

std::string spki_to_pem(bytes_view der) {
  const bio_ptr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio(bio.get(), PEM_STRING_PUBLIC, "", der.data(), static_cast<long>(der.size()));
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

result<bytes> spki_from_pem(std::string_view pem) {
  const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const pkey_ptr key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (!key) {
    return failure(errc::certificate_invalid, "not a PEM public key: " + openssl_errors());
  }
  return spki_of(key.get());
}

}  // namespace atls
