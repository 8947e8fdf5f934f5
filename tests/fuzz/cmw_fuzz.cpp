// The wrapper that a peer's Evidence comes in.
#include "formats/cmw.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto any = atls::parse_cmw({data, size});
  const auto record = atls::parse_cmw_record({data, size});
  must(!record || (any && any->record() != nullptr));
  return 0;
}
