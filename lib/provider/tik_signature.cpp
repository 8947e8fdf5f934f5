// SIGNATURE by the TLS Identity Key: ECDSA with SHA-256 or SHA-384, the private half in the TPM.
#include "core/openssl.hpp"
#include "provider/internal.hpp"

#include <array>
#include <cstring>

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace atls::provider {
namespace {

struct hash_facts {
  tpm_hash hash;
  const char* name;
  std::size_t size;
  /// AlgorithmIdentifier ecdsa-with-SHA2 (RFC 5758 section 3.2), DER.
  std::array<std::uint8_t, 12> algorithm_id;
};
constexpr std::array hashes = {
    hash_facts{tpm_hash::sha256,
               "SHA256",
               32,
               {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}},
    hash_facts{tpm_hash::sha384,
               "SHA384",
               48,
               {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}}};

constexpr std::size_t max_signature_size = 104;  // ECDSA-Sig-Value on P-384

const hash_facts* hash_by_name(const char* name) {
  const md_ptr md(EVP_MD_fetch(nullptr, name, nullptr));
  for (const auto& h : hashes) {
    if (md && EVP_MD_is_a(md.get(), h.name) == 1) {
      return &h;
    }
  }
  return nullptr;
}

struct operation {
  context* provider;
  const key* signer = nullptr;
  const hash_facts* hash = nullptr;
  md_ctx_ptr digest;
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

void* dupctx(void* p) noexcept {
  const operation& from = to_operation(p);
  auto* to = new (std::nothrow) operation{from.provider, from.signer, from.hash};
  if (to != nullptr && from.digest) {
    to->digest.reset(EVP_MD_CTX_new());
    if (!to->digest || EVP_MD_CTX_copy_ex(to->digest.get(), from.digest.get()) != 1) {
      delete to;
      return nullptr;
    }
  }
  return to;
}

int set_hash(operation& self, const char* name) {
  self.hash = hash_by_name(name);
  if (self.hash == nullptr) {
    self.provider->raise(
        {errc::identity_invalid, std::string("digest ") + name + "; expected SHA256 or SHA384"});
  }
  return self.hash != nullptr ? 1 : 0;
}

int set_ctx_params(void* p, const OSSL_PARAM params[]) noexcept {
  operation& self = to_operation(p);
  const OSSL_PARAM* param =
      params != nullptr ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST) : nullptr;
  const char* name = nullptr;
  if (param == nullptr) {
    return 1;
  }
  return OSSL_PARAM_get_utf8_string_ptr(param, &name) == 1 ? set_hash(self, name) : 0;
}

const OSSL_PARAM* settable_ctx_params(void*, void*) noexcept {
  static const OSSL_PARAM table[] = {
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0), OSSL_PARAM_END};
  return table;
}

int get_ctx_params(void* p, OSSL_PARAM params[]) noexcept {
  const operation& self = to_operation(p);
  const hash_facts& hash = self.hash != nullptr ? *self.hash : hashes[0];
  OSSL_PARAM* param = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
  if (param != nullptr &&
      OSSL_PARAM_set_octet_string(param, hash.algorithm_id.data(), hash.algorithm_id.size()) != 1) {
    return 0;
  }
  param = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
  return param == nullptr || OSSL_PARAM_set_utf8_string(param, hash.name) == 1 ? 1 : 0;
}

const OSSL_PARAM* gettable_ctx_params(void*, void*) noexcept {
  static const OSSL_PARAM table[] = {
      OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0), OSSL_PARAM_END};
  return table;
}

int sign_init(void* p, void* k, const OSSL_PARAM params[]) noexcept {
  operation& self = to_operation(p);
  if (k != nullptr) {
    self.signer = &to_key(k);
  }
  return self.signer != nullptr ? set_ctx_params(p, params) : 0;
}

// Signs a digest; with no buffer it only says how large the signature may be.
int sign_digest(operation& self, const hash_facts& hash, unsigned char* out, std::size_t* out_size,
                std::size_t capacity, bytes_view digest) noexcept {
  if (out == nullptr) {
    *out_size = max_signature_size;
    return 1;
  }
  return guarded(*self.provider, 0, [&] {
    const auto services = self.signer->working_services();
    const bytes signature =
        services->key->sign(hash.hash, digest, std::chrono::steady_clock::now() + services->timeout)
            .value();
    if (signature.size() > capacity) {
      return 0;
    }
    std::memcpy(out, signature.data(), signature.size());
    *out_size = signature.size();
    return 1;
  });
}

int sign(void* p, unsigned char* out, std::size_t* out_size, std::size_t capacity,
         const unsigned char* digest, std::size_t digest_size) noexcept {
  operation& self = to_operation(p);
  const hash_facts* hash = self.hash;
  for (const auto& h : hashes) {
    if (hash == nullptr && h.size == digest_size) {
      hash = &h;
    }
  }
  if (hash == nullptr || hash->size != digest_size) {
    self.provider->raise({errc::identity_invalid, "a digest of " + std::to_string(digest_size) +
                                                      " bytes; expected 32 or 48"});
    return 0;
  }
  return sign_digest(self, *hash, out, out_size, capacity, {digest, digest_size});
}

int digest_sign_init(void* p, const char* hash_name, void* k, const OSSL_PARAM params[]) noexcept {
  operation& self = to_operation(p);
  if (sign_init(p, k, params) != 1) {
    return 0;
  }
  if (hash_name != nullptr && *hash_name != '\0' && set_hash(self, hash_name) != 1) {
    return 0;
  }
  if (self.hash == nullptr) {
    self.hash = &hashes[0];
  }
  const md_ptr md(EVP_MD_fetch(nullptr, self.hash->name, nullptr));
  self.digest.reset(EVP_MD_CTX_new());
  return md && self.digest && EVP_DigestInit_ex2(self.digest.get(), md.get(), nullptr) == 1 ? 1 : 0;
}

int digest_sign_update(void* p, const unsigned char* data, std::size_t size) noexcept {
  operation& self = to_operation(p);
  return self.digest ? EVP_DigestUpdate(self.digest.get(), data, size) : 0;
}

int digest_sign_final(void* p, unsigned char* out, std::size_t* out_size,
                      std::size_t capacity) noexcept {
  operation& self = to_operation(p);
  std::array<unsigned char, EVP_MAX_MD_SIZE> value;
  unsigned int size = 0;
  if (out == nullptr) {
    *out_size = max_signature_size;
    return 1;
  }
  if (!self.digest || EVP_DigestFinal_ex(self.digest.get(), value.data(), &size) != 1) {
    return 0;
  }
  return sign_digest(self, *self.hash, out, out_size, capacity, {value.data(), size});
}

}  // namespace

const OSSL_DISPATCH* tik_signature_functions() {
  static const OSSL_DISPATCH table[] = {
      entry<OSSL_FUNC_signature_newctx_fn>(OSSL_FUNC_SIGNATURE_NEWCTX, newctx),
      entry<OSSL_FUNC_signature_freectx_fn>(OSSL_FUNC_SIGNATURE_FREECTX, freectx),
      entry<OSSL_FUNC_signature_dupctx_fn>(OSSL_FUNC_SIGNATURE_DUPCTX, dupctx),
      entry<OSSL_FUNC_signature_sign_init_fn>(OSSL_FUNC_SIGNATURE_SIGN_INIT, sign_init),
      entry<OSSL_FUNC_signature_sign_fn>(OSSL_FUNC_SIGNATURE_SIGN, sign),
      entry<OSSL_FUNC_signature_digest_sign_init_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT,
                                                     digest_sign_init),
      entry<OSSL_FUNC_signature_digest_sign_update_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE,
                                                       digest_sign_update),
      entry<OSSL_FUNC_signature_digest_sign_final_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL,
                                                      digest_sign_final),
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
