#include "schemes/shared_facts.hpp"

namespace atls {

fact key_resident_fact() {
  return {.name = "evidence.key.resident",
          .type = one_of{{"tpm", "none"}},
          .meaning =
              "Where the TLS key lives: in a TPM that it cannot leave, or in the memory of "
              "the machine that attests",
          .worth = "Follows from the Evidence type, which shows the one or does not"};
}

fact tee_fact() {
  return {.name = "evidence.tee",
          .type = one_of{{"snp", "tdx", "cca", "sgx", "azure-snp", "azure-tdx"}},
          .meaning = "What protects the confidential VM or enclave from its host",
          .worth = "Follows from the Evidence type, always checked"};
}

fact report_data_fact() {
  return {.name = "evidence.report_data",
          .type = fresh_value{},
          .meaning = "What binds the Evidence to this handshake",
          .worth = "Always checked"};
}

}  // namespace atls
