// What a TPM is said to have made.
#include "formats/tpm_structures.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  const bytes_view input(data, size);
  (void)parse_tpm_attest(input);
  (void)parse_tpm_public(input);
  if (const auto signature = parse_tpm_signature(input)) {
    (void)signature->der();
  }
  const auto selection = parse_pcr_selection(as_text(input));
  must(!selection || parse_pcr_selection(to_string(*selection)).value() == *selection);
  return 0;
}
