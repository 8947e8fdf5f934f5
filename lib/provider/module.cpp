// The entry point of atls.so.
#include "provider/internal.hpp"

extern "C" __attribute__((visibility("default"))) int OSSL_provider_init(
    const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH* in, const OSSL_DISPATCH** out,
    void** provider_context) {
  return atls::provider::initialize(core, in, out, provider_context);
}
