// Signed CWTs of our own making.
#pragma once

#include "formats/cose.hpp"

namespace atls::test {

/// CWT and COSE_Sign1 tags around the payload, signed with the key whatever `algorithm` says.
inline bytes sign_cwt(bytes_view payload, const jws_key& key, std::int64_t algorithm = -7) {
  cbor::writer header;
  header.map(1).integer(1).integer(algorithm);
  cbor::writer to_sign;
  to_sign.array(4).text("Signature1").byte_string(header.data()).byte_string({});
  to_sign.byte_string(payload);

  cbor::writer out;
  out.tag(61).tag(18).array(4).byte_string(header.data()).map(0).byte_string(payload);
  return std::move(out.byte_string(sign(key, to_sign.data()))).data();
}

}  // namespace atls::test
