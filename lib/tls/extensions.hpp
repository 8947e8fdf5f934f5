// The bodies of the attestation extensions (draft-fossati-seat-early-attestation-04). Pure.
//
//   EvidenceType = typeEncoding(1): CONTENT_FORMAT(0) uint16 | MEDIA_TYPE(1) opaque<0..2^16-1>
//   EvidenceType list<1..2^8-1>          in a ClientHello
//   EvidenceType                         in EncryptedExtensions
//   opaque cmw_payload<1..2^24-1>        in the first CertificateEntry
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <cstdint>

namespace atls::tls {

/// Private-use code points.
enum extension_code : std::uint16_t {
  attestation_extension = 0xff10,
  evidence_request_extension = 0xff11,
  evidence_proposal_extension = 0xff12,
  // The passport model's: registered so that an answer to what was never sent is refused.
  results_request_extension = 0xff13,
  results_proposal_extension = 0xff14,
};

/// Media types; a content-format is kept as "content-format N", which no media type equals.
using evidence_types = std::vector<std::string>;

bytes encode_type_list(const evidence_types& types);
result<evidence_types> parse_type_list(bytes_view body);

bytes encode_type(std::string_view media_type);
result<std::string> parse_type(bytes_view body);

bytes encode_attestation(bytes_view cmw);
result<bytes> parse_attestation(bytes_view body);

}  // namespace atls::tls
