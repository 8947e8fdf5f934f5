// KEYMGMT for the key type ATTESTATION: this machine as Attester, its Verifier as judge.
#include "provider/internal.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace atls::provider {
namespace {

int has(const void* p, int selection) noexcept {
  const bool wants_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
  return wants_private && !to_key(p).services->presenter ? 0 : 1;
}

const OSSL_PARAM* gettable_params(void*) noexcept {
  static const OSSL_PARAM table[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
                                     OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
                                     OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
                                     OSSL_PARAM_END};
  return table;
}

int get_params(void*, OSSL_PARAM params[]) noexcept {
  const struct {
    const char* name;
    int value;
  } numbers[] = {{OSSL_PKEY_PARAM_BITS, 256},
                 {OSSL_PKEY_PARAM_SECURITY_BITS, 128},
                 {OSSL_PKEY_PARAM_MAX_SIZE, max_evidence_bytes}};
  for (const auto& [name, value] : numbers) {
    OSSL_PARAM* param = OSSL_PARAM_locate(params, name);
    if (param != nullptr && OSSL_PARAM_set_int(param, value) != 1) {
      return 0;
    }
  }
  return 1;
}

const char* query_operation_name(int operation) noexcept {
  return operation == OSSL_OP_SIGNATURE ? "ATTESTATION" : nullptr;
}

}  // namespace

const OSSL_DISPATCH* attestation_keymgmt_functions() {
  static const OSSL_DISPATCH table[] = {
      entry<OSSL_FUNC_keymgmt_load_fn>(OSSL_FUNC_KEYMGMT_LOAD, adopt_key),
      entry<OSSL_FUNC_keymgmt_free_fn>(OSSL_FUNC_KEYMGMT_FREE, release_key),
      entry<OSSL_FUNC_keymgmt_has_fn>(OSSL_FUNC_KEYMGMT_HAS, has),
      entry<OSSL_FUNC_keymgmt_gettable_params_fn>(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,
                                                  gettable_params),
      entry<OSSL_FUNC_keymgmt_get_params_fn>(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
      entry<OSSL_FUNC_keymgmt_query_operation_name_fn>(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME,
                                                       query_operation_name),
      {0, nullptr}};
  return table;
}

}  // namespace atls::provider
