#include "tls/key_schedule.hpp"

#include "core/openssl.hpp"

#include <algorithm>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

namespace atls::tls {

secret::secret(bytes_view value) : size_(value.size()) {
  if (size_ > sizeof value_) {
    throw error({errc::internal, "a traffic secret of " + std::to_string(size_) + " bytes"});
  }
  std::ranges::copy(value, value_);
}

secret::~secret() {
  OPENSSL_cleanse(value_, sizeof value_);
}

result<void> expand_label(const EVP_MD* md, bytes_view from, std::string_view label,
                          bytes_view context, std::span<std::uint8_t> to) {
  static const kdf_ptr kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, nullptr));
  const kdf_ctx_ptr derivation(EVP_KDF_CTX_new(kdf.get()));
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  constexpr std::string_view prefix = "tls13 ";
  const auto octets = [](const char* name, const void* at, std::size_t size) {
    // libcrypto takes a null pointer for a missing value, not for an empty one.
    return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(size != 0 ? at : ""), size);
  };
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                       const_cast<char*>(EVP_MD_get0_name(md)), 0),
      octets(OSSL_KDF_PARAM_KEY, from.data(), from.size()),
      octets(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      octets(OSSL_KDF_PARAM_LABEL, label.data(), label.size()),
      octets(OSSL_KDF_PARAM_DATA, context.data(), context.size()),
      OSSL_PARAM_construct_end()};
  if (!derivation || EVP_KDF_derive(derivation.get(), to.data(), to.size(), params) != 1) {
    return failure(errc::internal, "HKDF-Expand-Label: " + openssl_errors());
  }
  return {};
}

}  // namespace atls::tls
