// The parts of the TLS 1.3 key schedule that libssl does not hand out (RFC 8446 section 7).
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <openssl/evp.h>

namespace atls::tls {

/// A traffic secret: at most 48 bytes, wiped when it goes.
class secret {
 public:
  secret() = default;
  explicit secret(bytes_view value);
  ~secret();
  secret(const secret&) = default;
  secret& operator=(const secret&) = default;

  bytes_view view() const noexcept { return {value_, size_}; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  std::uint8_t value_[48] = {};
  std::size_t size_ = 0;
};

/// HKDF-Expand-Label (section 7.1); `label` without its "tls13 ".
result<void> expand_label(const EVP_MD* md, bytes_view from, std::string_view label,
                          bytes_view context, std::span<std::uint8_t> to);

}  // namespace atls::tls
