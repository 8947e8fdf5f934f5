// Endorsements, as an operator or a supply chain hands them to the Verifier.
#include "fuzz.hpp"
#include "schemes/arm_cca/endorsements.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  if (const auto plain = parse_corim({data, size})) {
    (void)cca_endorsements::from_corim(*plain);
    if (const auto read = parsec_tpm_endorsements::from_corim(*plain)) {
      // What was understood can be written, and is then understood the same.
      for (const auto& form : corim_forms) {
        const auto again = parse_corim(read->encode(form));
        must(again.has_value());
        const auto same = parsec_tpm_endorsements::from_corim(*again);
        must(same && same->trust_anchors == read->trust_anchors);
      }
    }
  }
  (void)parse_unverified_signed_corim({data, size});
  return 0;
}
