#include "core/certificates.hpp"

#include <algorithm>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace atls {

bytes der_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  bytes out(der, der + std::max(size, 0));
  OPENSSL_free(der);
  return out;
}

std::string pem_of(const X509* certificate) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

x509_ptr certificate_from_der(bytes_view der) {
  const auto* at = der.data();
  x509_ptr out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  return at == der.data() + der.size() ? std::move(out) : nullptr;
}

std::vector<x509_ptr> certificates_from_pem(std::string_view text, OSSL_LIB_CTX* library) {
  const bio_ptr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::vector<x509_ptr> out;
  for (;;) {
    X509* certificate = X509_new_ex(library, nullptr);
    ERR_set_mark();
    if (PEM_read_bio_X509(in.get(), &certificate, nullptr, nullptr) == nullptr) {
      X509_free(certificate);
      // The end of the text is an error to OpenSSL.
      out.empty() ? ERR_clear_last_mark() : ERR_pop_to_mark();
      return out;
    }
    ERR_clear_last_mark();
    out.emplace_back(certificate);
  }
}

}  // namespace atls
