// A peer's Evidence up to the local checks, of every type: whatever it is, it is not for this
// handshake.
#include "fuzz.hpp"
#include "schemes/table.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  static const bytes binder(32, 0xb1);
  for (const auto& scheme : known_schemes()) {
    must(!scheme->check({data, size}, {binder, binder}));
    (void)scheme->read({data, size});
  }
  return 0;
}
