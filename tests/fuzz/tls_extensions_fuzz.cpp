// The bodies of the attestation extensions.
#include "fuzz.hpp"
#include "tls/extensions.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls::tls;
  const atls::bytes_view body(data, size);
  const auto types = parse_type_list(body);
  must(!types || !types->empty());
  (void)parse_type(body);
  if (const auto cmw = parse_attestation(body)) {
    must(atls::equal(encode_attestation(*cmw), body));
  }
  return 0;
}
