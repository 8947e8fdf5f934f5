#include "provider/provider.hpp"

#include "provider/internal.hpp"

#include <cstdarg>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

namespace atls::provider {
namespace {

// How a private_context hands its services to initialize(), which OpenSSL calls inside
// OSSL_PROVIDER_load on the same thread.
thread_local std::shared_ptr<const attestation_services> being_installed;

constexpr const char* properties = "provider=atls";

const OSSL_ALGORITHM* store_algorithms() {
  static const OSSL_ALGORITHM table[] = {{"atls", properties, store_functions(), "atls: URIs"},
                                         {nullptr, nullptr, nullptr, nullptr}};
  return table;
}

const OSSL_ALGORITHM* keymgmt_algorithms(bool with_ec) {
  static const OSSL_ALGORITHM all[] = {
      {"ATTESTATION", properties, attestation_keymgmt_functions(), "Evidence of this machine"},
      {"EC:id-ecPublicKey:1.2.840.10045.2.1", properties, tik_keymgmt_functions(),
       "TLS Identity Key in the TPM"},
      {nullptr, nullptr, nullptr, nullptr}};
  static const OSSL_ALGORITHM own[] = {all[0], all[2]};
  return with_ec ? all : own;
}

const OSSL_ALGORITHM* signature_algorithms(bool with_ecdsa) {
  static const OSSL_ALGORITHM all[] = {
      {"ATTESTATION", properties, attestation_signature_functions(), "Evidence and its appraisal"},
      {"ECDSA", properties, tik_signature_functions(), "by the TLS Identity Key"},
      {nullptr, nullptr, nullptr, nullptr}};
  static const OSSL_ALGORITHM own[] = {all[0], all[2]};
  return with_ecdsa ? all : own;
}

// The first time an operation is asked for, only what nobody else has is shown, uncached; by the
// second time `default` has entered OpenSSL's method store. See step_back().
const OSSL_ALGORITHM* query_operation(void* p, int operation, int* no_cache) noexcept {
  context& provider = to_context(p);
  *no_cache = 0;
  switch (operation) {
    case OSSL_OP_STORE:
      return store_algorithms();
    case OSSL_OP_KEYMGMT: {
      const bool again = provider.asked_keymgmt.exchange(true);
      *no_cache = again ? 0 : 1;
      return keymgmt_algorithms(again);
    }
    case OSSL_OP_SIGNATURE: {
      const bool again = provider.asked_signature.exchange(true);
      *no_cache = again ? 0 : 1;
      return signature_algorithms(again);
    }
    default:
      return nullptr;
  }
}

const OSSL_PARAM* gettable_params(void*) noexcept {
  static const OSSL_PARAM table[] = {
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, nullptr, 0),
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, nullptr, 0),
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, nullptr, 0), OSSL_PARAM_END};
  return table;
}

int get_params(void*, OSSL_PARAM params[]) noexcept {
  OSSL_PARAM* p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
  if (p != nullptr && OSSL_PARAM_set_utf8_ptr(p, "atls: attested TLS") != 1) {
    return 0;
  }
  p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
  if (p != nullptr && OSSL_PARAM_set_utf8_ptr(p, ATLS_VERSION) != 1) {
    return 0;
  }
  p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
  return p == nullptr || OSSL_PARAM_set_int(p, 1) == 1 ? 1 : 0;
}

const OSSL_ITEM* get_reason_strings(void*) noexcept {
  static const std::vector<OSSL_ITEM> table = [] {
    std::vector<OSSL_ITEM> out;
    for (std::size_t i = 1; i <= reason_count(); ++i) {
      const auto code = static_cast<errc>(i);
      out.push_back({static_cast<unsigned>(i), const_cast<char*>(describe(code).data())});
    }
    out.push_back({0, nullptr});
    return out;
  }();
  return table.data();
}

void teardown(void* p) noexcept {
  delete static_cast<context*>(p);
}

const OSSL_DISPATCH* provider_functions() {
  static const OSSL_DISPATCH table[] = {
      entry<OSSL_FUNC_provider_teardown_fn>(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
      entry<OSSL_FUNC_provider_gettable_params_fn>(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS,
                                                   gettable_params),
      entry<OSSL_FUNC_provider_get_params_fn>(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
      entry<OSSL_FUNC_provider_query_operation_fn>(OSSL_FUNC_PROVIDER_QUERY_OPERATION,
                                                   query_operation),
      entry<OSSL_FUNC_provider_get_reason_strings_fn>(OSSL_FUNC_PROVIDER_GET_REASON_STRINGS,
                                                      get_reason_strings),
      {0, nullptr}};
  return table;
}

template <class Fn>
void take(const OSSL_DISPATCH& from, Fn*& to) {
  to = reinterpret_cast<Fn*>(from.function);
}

void set_error(const context& provider, std::uint32_t code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  provider.vset_error(provider.core, code, format, arguments);
  va_end(arguments);
}

}  // namespace

void context::raise(const failure& why) const noexcept {
  if (new_error == nullptr || vset_error == nullptr) {
    return;
  }
  new_error(core);
  const auto code = static_cast<std::uint32_t>(why.code);
  set_error(*this, code, "%s%s%s", reason(why.code).data(), why.detail.empty() ? "" : ": ",
            why.detail.c_str());
}

// For a fetch without a property query OpenSSL takes the implementation that it cached first, else
// the one that entered its method store first; providers enter in the order of their names. Ours
// would stand before `default` and capture every EC key of the program, which it cannot serve
// (openssl#16614, #19128). So `default` enters first, then we do, and then its implementation is
// fetched, and cached, before ours.
void context::step_back() noexcept {
  if (get_library == nullptr || settled.exchange(true)) {
    return;
  }
  // The core's context is the OSSL_LIB_CTX of a program that shares its libcrypto with us.
  auto* library = reinterpret_cast<OSSL_LIB_CTX*>(get_library(core));
  ERR_set_mark();
  for (const char* algorithm : {"EC", "an algorithm nobody has", "EC"}) {
    EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(library, algorithm, nullptr));
  }
  for (const char* algorithm : {"ECDSA", "an algorithm nobody has", "ECDSA"}) {
    EVP_SIGNATURE_free(EVP_SIGNATURE_fetch(library, algorithm, nullptr));
  }
  ERR_pop_to_mark();
}

context::~context() {
  process* const last = newest;
  if (last->id == ::getpid()) {
    delete last;
  }
}

process& context::this_process() {
  process* found = newest;
  if (found->id == ::getpid()) {
    return *found;
  }
  auto made = std::make_unique<process>();
  return newest.compare_exchange_strong(found, made.get()) ? *made.release() : *found;
}

std::shared_ptr<const attestation_services> context::services() {
  process& here = this_process();
  const std::lock_guard lock(here.mutex);
  if (!here.services) {
    here.services = services_from_settings(*this).value();
  }
  return here.services;
}

std::shared_ptr<const attestation_services> key::working_services() const {
  if (loaded_by == ::getpid()) {
    return services;
  }
  auto out = provider->services();
  if (services->key && (!out->key || out->key->spki() != services->key->spki())) {
    throw error({errc::identity_invalid, "the key is not the one that was loaded before fork(2)"});
  }
  return out;
}

void* adopt_key(const void* reference, std::size_t size) noexcept {
  if (reference == nullptr || size != sizeof(key*)) {
    return nullptr;
  }
  // The STORE keeps ownership until someone adopts (OSSL_OBJECT_PARAM_REFERENCE).
  auto** slot = *static_cast<key** const*>(reference);
  return std::exchange(*slot, nullptr);
}

void release_key(void* k) noexcept {
  delete static_cast<key*>(k);
}

int initialize(const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH* in, const OSSL_DISPATCH** out,
               void** provider_context) noexcept {
  auto* made = new (std::nothrow) context;
  if (made == nullptr) {
    return 0;
  }
  made->core = core;
  made->this_process().services = std::exchange(being_installed, nullptr);
  for (; in->function_id != 0; ++in) {
    switch (in->function_id) {
      case OSSL_FUNC_CORE_GET_PARAMS:
        take(*in, made->get_params);
        break;
      case OSSL_FUNC_CORE_GET_LIBCTX:
        take(*in, made->get_library);
        break;
      case OSSL_FUNC_CORE_NEW_ERROR:
        take(*in, made->new_error);
        break;
      case OSSL_FUNC_CORE_VSET_ERROR:
        take(*in, made->vset_error);
        break;
      default:
        break;
    }
  }
  *provider_context = made;
  *out = provider_functions();
  return 1;
}

private_context::private_context(std::shared_ptr<const attestation_services> services)
    : context_(OSSL_LIB_CTX_new()) {
  being_installed = std::move(services);
  if (!context_ || OSSL_PROVIDER_add_builtin(context_.get(), name, initialize) != 1) {
    throw error({errc::internal, "no library context: " + openssl_errors()});
  }
  default_.reset(OSSL_PROVIDER_load(context_.get(), "default"));
  atls_.reset(OSSL_PROVIDER_load(context_.get(), name));
  if (!default_ || !atls_) {
    throw error({errc::internal, "the OpenSSL providers do not load: " + openssl_errors()});
  }
}

void private_context::serve(std::shared_ptr<const attestation_services> services) {
  auto& ours = *static_cast<context*>(OSSL_PROVIDER_get0_provider_ctx(atls_.get()));
  process& here = ours.this_process();
  const std::lock_guard lock(here.mutex);
  here.services = std::move(services);
}

result<pkey_ptr> load_key(OSSL_LIB_CTX* context, const char* uri) {
  const store_ctx_ptr store(
      OSSL_STORE_open_ex(uri, context, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  if (store && OSSL_STORE_expect(store.get(), OSSL_STORE_INFO_PKEY) == 1) {
    while (OSSL_STORE_eof(store.get()) == 0) {
      const store_info_ptr info(OSSL_STORE_load(store.get()));
      if (info && OSSL_STORE_INFO_get_type(info.get()) == OSSL_STORE_INFO_PKEY) {
        return pkey_ptr(OSSL_STORE_INFO_get1_PKEY(info.get()));
      }
    }
  }
  return failure(errc::identity_invalid, std::string(uri) + ": " + openssl_errors());
}

}  // namespace atls::provider
