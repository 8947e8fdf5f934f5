// Keys for signed Attestation Results.
#pragma once

#include "formats/jose.hpp"

#include <openssl/ec.h>

namespace atls::test {

/// By the name of an EC curve, "ED25519" or "RSA".
inline jws_key new_jws_key(std::string_view type) {
  pkey_ptr key(type == "ED25519" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
               : type == "RSA"   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})
                                 : EVP_EC_gen(type.data()));
  auto algorithm = algorithm_for(key.get()).value();
  return {std::move(algorithm), std::move(key)};
}

}  // namespace atls::test
