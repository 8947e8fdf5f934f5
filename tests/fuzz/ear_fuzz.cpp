// The claims of an Attestation Result, in JSON and in CBOR.
#include "formats/ear.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  (void)ear::parse(as_text({data, size}));
  if (const auto item = cbor::decode({data, size}, errc::ear_malformed)) {
    (void)ear::from_cbor(*item);
  }
  return 0;
}
