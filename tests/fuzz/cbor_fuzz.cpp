// The CBOR decoder inside its limits.
#include "formats/cbor.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)atls::cbor::decode({data, size}, atls::errc::evidence_malformed);
  return 0;
}
