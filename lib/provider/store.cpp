// STORE: atls:tik and atls:attester.
#include "provider/internal.hpp"
#include "provider/provider.hpp"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>

namespace atls::provider {
namespace {

// What is left to hand out, in order.
struct loader {
  context* provider;
  std::shared_ptr<const attestation_services> services;
  bool is_tik;
  bool key_pending = true;
  std::size_t next_certificate = 0;
  int expected = 0;  // OSSL_STORE_INFO_*, 0 for anything

  bool certificates_left() const {
    return is_tik && next_certificate < services->certificates.size() &&
           (expected == 0 || expected == OSSL_STORE_INFO_CERT);
  }
};

loader& to_loader(void* p) {
  return *static_cast<loader*>(p);
}

void* open(void* p, const char* uri) noexcept {
  context& provider = to_context(p);
  provider.step_back();
  const std::string_view wanted(uri);
  if (wanted != tik_uri && wanted != attester_uri) {
    provider.raise({errc::identity_invalid, std::string(wanted) + " is unknown; expected " +
                                                tik_uri + " or " + attester_uri});
    return nullptr;
  }
  return guarded(provider, static_cast<loader*>(nullptr), [&]() -> loader* {
    auto services = provider.services();
    if (wanted == tik_uri && !services->key) {
      provider.raise({errc::not_provisioned, "no TPM or state directory is configured"});
      return nullptr;
    }
    return new loader{&provider, std::move(services), wanted == tik_uri};
  });
}

const OSSL_PARAM* settable_ctx_params(void*) noexcept {
  static const OSSL_PARAM table[] = {OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, nullptr),
                                     OSSL_PARAM_END};
  return table;
}

int set_ctx_params(void* p, const OSSL_PARAM params[]) noexcept {
  loader& self = to_loader(p);
  const OSSL_PARAM* expect = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT);
  return expect == nullptr || OSSL_PARAM_get_int(expect, &self.expected) == 1 ? 1 : 0;
}

int load_key_object(loader& self, OSSL_CALLBACK* deliver, void* argument) {
  key* made = new key{self.provider, self.services};
  key** slot = &made;
  int type = OSSL_OBJECT_PKEY;
  const OSSL_PARAM object[] = {
      OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
      OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                       const_cast<char*>(self.is_tik ? "EC" : "ATTESTATION"), 0),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &slot, sizeof slot),
      OSSL_PARAM_construct_end()};
  const int delivered = deliver(object, argument);
  delete made;  // still ours if nobody adopted it
  return delivered;
}

int load_certificate_object(loader& self, OSSL_CALLBACK* deliver, void* argument) {
  const bytes& der = self.services->certificates[self.next_certificate++];
  int type = OSSL_OBJECT_CERT;
  const OSSL_PARAM object[] = {
      OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA,
                                        const_cast<std::uint8_t*>(der.data()), der.size()),
      OSSL_PARAM_construct_end()};
  return deliver(object, argument);
}

int load(void* p, OSSL_CALLBACK* deliver, void* argument, OSSL_PASSPHRASE_CALLBACK*,
         void*) noexcept {
  loader& self = to_loader(p);
  return guarded(*self.provider, 0, [&] {
    if (std::exchange(self.key_pending, false)) {
      return load_key_object(self, deliver, argument);
    }
    return self.certificates_left() ? load_certificate_object(self, deliver, argument) : 0;
  });
}

int eof(void* p) noexcept {
  const loader& self = to_loader(p);
  return self.key_pending || self.certificates_left() ? 0 : 1;
}

int close(void* p) noexcept {
  delete static_cast<loader*>(p);
  return 1;
}

}  // namespace

const OSSL_DISPATCH* store_functions() {
  static const OSSL_DISPATCH table[] = {
      entry<OSSL_FUNC_store_open_fn>(OSSL_FUNC_STORE_OPEN, open),
      entry<OSSL_FUNC_store_settable_ctx_params_fn>(OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS,
                                                    settable_ctx_params),
      entry<OSSL_FUNC_store_set_ctx_params_fn>(OSSL_FUNC_STORE_SET_CTX_PARAMS, set_ctx_params),
      entry<OSSL_FUNC_store_load_fn>(OSSL_FUNC_STORE_LOAD, load),
      entry<OSSL_FUNC_store_eof_fn>(OSSL_FUNC_STORE_EOF, eof),
      entry<OSSL_FUNC_store_close_fn>(OSSL_FUNC_STORE_CLOSE, close),
      {0, nullptr}};
  return table;
}

}  // namespace atls::provider
