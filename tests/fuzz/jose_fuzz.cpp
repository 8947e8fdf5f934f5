// Tokens and keys: nothing verifies that our key has not signed.
#include "formats/jose.hpp"
#include "fuzz.hpp"
#include "support/software_tpm.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  static const jws_key key{"ES256", test::new_key()};
  const auto text = as_text({data, size});
  must(!verify_jws(text, key));
  (void)parse_public_keys(text);
  return 0;
}
