// A peer's Evidence up to the local checks: whatever it is, it is not for this handshake.
#include "appraisal/policy/facts.hpp"
#include "fuzz.hpp"
#include "schemes/parsec_tpm/evidence.hpp"
#include "schemes/parsec_tpm/evidence_check.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  static const bytes binder(32, 0xb1);
  static const std::vector<bytes> any_kid;
  const auto checked = check_evidence(
      {data, size},
      {parsec_tpm_evidence::media_type, binder, binder, {tpm_hash::sha256, 0xff}, any_kid});
  must(!checked);
  (void)evidence_facts({data, size});
  return 0;
}
