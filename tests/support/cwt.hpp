// Signed CWTs of our own making.
#pragma once

#include "evidence/cose.hpp"

#include <openssl/ecdsa.h>

namespace atls::test {

/// CWT and COSE_Sign1 tags around the payload, signed with ES256 whatever `algorithm` says.
inline bytes sign_cwt(bytes_view payload, const jws_key& key, std::int64_t algorithm = -7) {
  cbor::writer header;
  header.map(1).integer(1).integer(algorithm);
  cbor::writer to_sign;
  to_sign.array(4).text("Signature1").byte_string(header.data()).byte_string({});
  to_sign.byte_string(payload);

  bytes der(128);
  std::size_t size = der.size();
  const md_ctx_ptr context(EVP_MD_CTX_new());
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.key.get());
  EVP_DigestSign(context.get(), der.data(), &size, to_sign.data().data(), to_sign.data().size());
  const unsigned char* at = der.data();
  ECDSA_SIG* parts = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
  constexpr int coordinate = 32;
  bytes raw(2 * coordinate);
  BN_bn2binpad(ECDSA_SIG_get0_r(parts), raw.data(), coordinate);
  BN_bn2binpad(ECDSA_SIG_get0_s(parts), raw.data() + coordinate, coordinate);
  ECDSA_SIG_free(parts);

  cbor::writer out;
  out.tag(61).tag(18).array(4).byte_string(header.data()).map(0).byte_string(payload);
  return std::move(out.byte_string(raw)).data();
}

}  // namespace atls::test
