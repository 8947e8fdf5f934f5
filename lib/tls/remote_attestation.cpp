#include "tls/remote_attestation.hpp"

namespace atls::tls {
namespace {

constexpr std::size_t list_length_size = 2;
constexpr std::size_t payload_length_size = 3;
// RFC 8446 section 4.2: extension_data<0..2^16-1>, and all of a CertificateEntry's together.
constexpr std::size_t max_payload = 65535 - 4 - payload_length_size;

failure malformed(const char* why) {
  return {errc::extension_malformed, why};
}

void append_list(bytes& to, const attestation_schemes& schemes) {
  bytes list;
  for (const auto& one : schemes) {
    append(list, one.encoded());
  }
  append_number(to, list.size(), list_length_size);
  append(to, list);
}

result<attestation_schemes> read_list(byte_reader& from) {
  const auto list = from.prefixed(list_length_size);
  if (!list) {
    return malformed("a list of attestation schemes ends early");
  }
  attestation_schemes out;
  byte_reader in(*list);
  while (!in.empty()) {
    ATLS_TRY(auto one, attestation_scheme::read(in));
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

bytes encode_offer(const offered_schemes& offer) {
  bytes out;
  append_list(out, offer.server_attester);
  append_list(out, offer.client_attester);
  return out;
}

result<offered_schemes> parse_offer(bytes_view body) {
  byte_reader in(body);
  offered_schemes out;
  ATLS_TRY(out.server_attester, read_list(in));
  ATLS_TRY(out.client_attester, read_list(in));
  if (!in.empty()) {
    return malformed("bytes after the lists of attestation schemes");
  }
  return out;
}

result<attestation_scheme> parse_choice(bytes_view body) {
  byte_reader in(body);
  ATLS_TRY(auto out, attestation_scheme::read(in));
  if (!in.empty()) {
    return malformed("bytes after the chosen attestation scheme");
  }
  return out;
}

result<bytes> encode_payload(bytes_view cmw) {
  if (cmw.size() > max_payload) {
    return failure(errc::internal, "Evidence of " + std::to_string(cmw.size()) +
                                       " bytes; a TLS extension takes " +
                                       std::to_string(max_payload));
  }
  bytes out;
  append_number(out, cmw.size(), payload_length_size);
  append(out, cmw);
  return out;
}

result<bytes> parse_payload(bytes_view body) {
  byte_reader in(body);
  const auto cmw = in.prefixed(payload_length_size);
  if (!cmw || cmw->empty() || !in.empty()) {
    return malformed("the attestation is empty, ends early or has bytes after it");
  }
  return to_bytes(*cmw);
}

}  // namespace atls::tls
