// Evidence that a peer's certificate carries (formats/ra_tls_certificate.hpp), as what it would be
// if the peer had presented it by itself: of a scheme, and bound to something.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <string_view>

namespace atls {

struct certificate_evidence {
  /// Of its scheme, to which it is Evidence like any other.
  std::string_view media_type;
  bytes evidence;
  /// What its report data must be, 64 bytes: it names the certificate's key.
  bytes binding;
};

/// `certificate` and `spki` are DER. peer_not_attested: it carries none; evidence_malformed,
/// certificate_key_mismatch.
result<certificate_evidence> read_certificate_evidence(bytes_view certificate, bytes_view spki);

}  // namespace atls
