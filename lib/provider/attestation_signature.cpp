// SIGNATURE of the key type ATTESTATION. sign(binder) gives Evidence in a CMW; verify(Evidence,
// binder) has it appraised and succeeds only on an acceptable Attestation Result.
#include "formats/cmw.hpp"
#include "provider/internal.hpp"

#include <cstring>

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace atls::provider {
namespace {

/// DER SubjectPublicKeyInfo that verify() expects to be attested; this machine's TIK by default.
constexpr const char* subject_param = "subject";
/// After a verify() that succeeded: the Attestation Result, a compact JWS.
constexpr const char* result_param = "attestation-result";

constexpr std::size_t min_binder_size = 32;
constexpr std::size_t max_binder_size = 64;

struct operation {
  context* provider;
  const key* machine = nullptr;
  bytes subject_spki;
  std::string attestation_result;
};

operation& to_operation(void* p) {
  return *static_cast<operation*>(p);
}

void* newctx(void* p, const char*) noexcept {
  return new (std::nothrow) operation{&to_context(p)};
}

void freectx(void* p) noexcept {
  delete static_cast<operation*>(p);
}

int set_ctx_params(void* p, const OSSL_PARAM params[]) noexcept {
  operation& self = to_operation(p);
  const OSSL_PARAM* param =
      params != nullptr ? OSSL_PARAM_locate_const(params, subject_param) : nullptr;
  const void* data = nullptr;
  std::size_t size = 0;
  if (param == nullptr) {
    return 1;
  }
  if (OSSL_PARAM_get_octet_string_ptr(param, &data, &size) != 1) {
    return 0;
  }
  const auto* first = static_cast<const std::uint8_t*>(data);
  return guarded(*self.provider, 0, [&] {
    self.subject_spki.assign(first, first + size);
    return 1;
  });
}

const OSSL_PARAM* settable_ctx_params(void*, void*) noexcept {
  static const OSSL_PARAM table[] = {OSSL_PARAM_octet_string(subject_param, nullptr, 0),
                                     OSSL_PARAM_END};
  return table;
}

int get_ctx_params(void* p, OSSL_PARAM params[]) noexcept {
  const operation& self = to_operation(p);
  OSSL_PARAM* param = OSSL_PARAM_locate(params, result_param);
  if (param == nullptr) {
    return 1;
  }
  return !self.attestation_result.empty() &&
                 OSSL_PARAM_set_utf8_string(param, self.attestation_result.c_str()) == 1
             ? 1
             : 0;
}

const OSSL_PARAM* gettable_ctx_params(void*, void*) noexcept {
  static const OSSL_PARAM table[] = {OSSL_PARAM_utf8_string(result_param, nullptr, 0),
                                     OSSL_PARAM_END};
  return table;
}

int initialize_operation(void* p, void* k, const OSSL_PARAM params[]) noexcept {
  operation& self = to_operation(p);
  self.attestation_result.clear();
  if (k != nullptr) {
    self.machine = &to_key(k);
  }
  return self.machine != nullptr ? set_ctx_params(p, params) : 0;
}

bool is_binder(const operation& self, std::size_t size) {
  if (size < min_binder_size || size > max_binder_size) {
    self.provider->raise(
        {errc::internal, "a binder of " + std::to_string(size) + " bytes; expected 32 to 64"});
    return false;
  }
  return true;
}

int sign(void* p, unsigned char* out, std::size_t* out_size, std::size_t capacity,
         const unsigned char* binder, std::size_t binder_size) noexcept {
  const operation& self = to_operation(p);
  if (out == nullptr) {
    *out_size = max_evidence_bytes;
    return 1;
  }
  return guarded(*self.provider, 0, [&] {
    const auto in_use = self.machine->working_services();
    const auto& services = *in_use;
    const auto offers = services.presenter ? services.presenter->offers() : attestation_schemes();
    if (offers.empty()) {
      self.provider->raise({errc::not_provisioned, "no TPM or state directory is configured"});
      return 0;
    }
    if (!is_binder(self, binder_size)) {
      return 0;
    }
    const bytes evidence = services.presenter
                               ->present(offers.front(), {binder, binder_size},
                                         std::chrono::steady_clock::now() + services.timeout)
                               .value();
    if (evidence.size() > capacity) {
      return 0;
    }
    std::memcpy(out, evidence.data(), evidence.size());
    *out_size = evidence.size();
    return 1;
  });
}

// Nothing was negotiated here: Evidence says its type itself.
result<attestation_scheme> scheme_of(bytes_view cmw) {
  ATLS_TRY(const auto record, parse_cmw_record(cmw));
  const auto* media_type = std::get_if<std::string>(&record.type);
  if (media_type == nullptr) {
    return failure(errc::evidence_type_unexpected, "found a content-format");
  }
  return attestation_scheme::evidence(*media_type);
}

int verify(void* p, const unsigned char* evidence, std::size_t evidence_size,
           const unsigned char* binder, std::size_t binder_size) noexcept {
  operation& self = to_operation(p);
  self.attestation_result.clear();
  return guarded(*self.provider, 0, [&] {
    const auto in_use = self.machine->working_services();
    const auto& services = *in_use;
    if (!services.appraiser) {
      self.provider->raise({errc::config_invalid, "no Verifier and result key are configured"});
      return 0;
    }
    if (!is_binder(self, binder_size)) {
      return 0;
    }
    bytes subject = self.subject_spki;
    if (subject.empty() && services.key) {
      subject = services.key->spki();
    }
    const bytes cmw(evidence, evidence + evidence_size);
    const auto peer = services.appraiser->appraise({.cmw = cmw,
                                                    .scheme = scheme_of(cmw).value(),
                                                    .binder = bytes(binder, binder + binder_size),
                                                    .leaf_spki = std::move(subject)});
    self.attestation_result = peer.value().result().token();
    return 1;
  });
}

}  // namespace

const OSSL_DISPATCH* attestation_signature_functions() {
  static const OSSL_DISPATCH table[] = {
      entry<OSSL_FUNC_signature_newctx_fn>(OSSL_FUNC_SIGNATURE_NEWCTX, newctx),
      entry<OSSL_FUNC_signature_freectx_fn>(OSSL_FUNC_SIGNATURE_FREECTX, freectx),
      entry<OSSL_FUNC_signature_sign_init_fn>(OSSL_FUNC_SIGNATURE_SIGN_INIT, initialize_operation),
      entry<OSSL_FUNC_signature_sign_fn>(OSSL_FUNC_SIGNATURE_SIGN, sign),
      entry<OSSL_FUNC_signature_verify_init_fn>(OSSL_FUNC_SIGNATURE_VERIFY_INIT,
                                                initialize_operation),
      entry<OSSL_FUNC_signature_verify_fn>(OSSL_FUNC_SIGNATURE_VERIFY, verify),
      entry<OSSL_FUNC_signature_get_ctx_params_fn>(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS,
                                                   get_ctx_params),
      entry<OSSL_FUNC_signature_gettable_ctx_params_fn>(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS,
                                                        gettable_ctx_params),
      entry<OSSL_FUNC_signature_set_ctx_params_fn>(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS,
                                                   set_ctx_params),
      entry<OSSL_FUNC_signature_settable_ctx_params_fn>(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS,
                                                        settable_ctx_params),
      {0, nullptr}};
  return table;
}

}  // namespace atls::provider
