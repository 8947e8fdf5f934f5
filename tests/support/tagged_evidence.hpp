// What RA-TLS certificates hold in the extension 2.23.133.5.4.9.
#pragma once

#include "core/openssl.hpp"
#include "formats/cbor.hpp"

namespace atls::test {

/// {"pubkey-hash": [algorithm, hash], "nonce": ...}
inline bytes claims_about(bytes_view spki, std::uint64_t algorithm = 1,
                          const char* name = "SHA256") {
  cbor::writer pair;
  pair.array(2).unsigned_integer(algorithm).byte_string(digest(name, spki));
  cbor::writer out;
  out.map(2).text("pubkey-hash").byte_string(pair.data()).text("nonce").byte_string(bytes(8, 1));
  return std::move(out).data();
}

inline bytes tagged_evidence(bytes_view quote, bytes_view claims, std::uint64_t tag = 60000) {
  cbor::writer out;
  out.tag(tag).array(2).byte_string(quote).byte_string(claims);
  return std::move(out).data();
}

}  // namespace atls::test
