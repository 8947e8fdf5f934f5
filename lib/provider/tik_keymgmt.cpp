// KEYMGMT for the TLS Identity Key. It has no import and no generation: a foreign key never gets
// in.
#include "formats/tpm_structures.hpp"
#include "provider/internal.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace atls::provider {
namespace {

constexpr std::size_t p256_point_size = 65;
constexpr std::size_t p384_point_size = 97;

// What follows from the curve.
struct curve_facts {
  const char* group;
  int bits;
  int security_bits;
  int max_signature_size;
  const char* hash;
  std::size_t point_size;
};

const curve_facts& facts(const key& k) {
  static const curve_facts p256{"prime256v1", 256, 128, 72, "SHA256", p256_point_size};
  static const curve_facts p384{"secp384r1", 384, 192, 104, "SHA384", p384_point_size};
  return curve_of(k.services->key->spki()) == "P-256" ? p256 : p384;
}

// The uncompressed point, the last bytes of the SubjectPublicKeyInfo (RFC 5480 section 2.2).
bytes_view point(const key& k) {
  return bytes_view(k.services->key->spki()).last(facts(k).point_size);
}

int has(const void*, int) noexcept {
  return 1;
}

int match(const void* a, const void* b, int) noexcept {
  return equal(point(to_key(a)), point(to_key(b))) ? 1 : 0;
}

const OSSL_PARAM* gettable_params(void*) noexcept {
  static const OSSL_PARAM table[] = {
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0),
      OSSL_PARAM_END};
  return table;
}

int get_params(void* p, OSSL_PARAM params[]) noexcept {
  const key& k = to_key(p);
  const auto& curve = facts(k);
  const struct {
    const char* name;
    int value;
  } numbers[] = {{OSSL_PKEY_PARAM_BITS, curve.bits},
                 {OSSL_PKEY_PARAM_SECURITY_BITS, curve.security_bits},
                 {OSSL_PKEY_PARAM_MAX_SIZE, curve.max_signature_size}};
  for (const auto& [name, value] : numbers) {
    OSSL_PARAM* param = OSSL_PARAM_locate(params, name);
    if (param != nullptr && OSSL_PARAM_set_int(param, value) != 1) {
      return 0;
    }
  }
  const struct {
    const char* name;
    const char* value;
  } texts[] = {{OSSL_PKEY_PARAM_DEFAULT_DIGEST, curve.hash},
               {OSSL_PKEY_PARAM_GROUP_NAME, curve.group},
               {OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed"},
               {OSSL_PKEY_PARAM_EC_ENCODING, "named_curve"}};
  for (const auto& [name, value] : texts) {
    OSSL_PARAM* param = OSSL_PARAM_locate(params, name);
    if (param != nullptr && OSSL_PARAM_set_utf8_string(param, value) != 1) {
      return 0;
    }
  }
  for (const char* name : {OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY}) {
    OSSL_PARAM* param = OSSL_PARAM_locate(params, name);
    if (param != nullptr &&
        OSSL_PARAM_set_octet_string(param, point(k).data(), point(k).size()) != 1) {
      return 0;
    }
  }
  return 1;
}

const OSSL_PARAM* export_types(int selection) noexcept {
  static const OSSL_PARAM table[] = {
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0), OSSL_PARAM_END};
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? nullptr : table;
}

int export_key(void* p, int selection, OSSL_CALLBACK* deliver, void* argument) noexcept {
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
    return 0;  // it does not leave the TPM
  }
  const key& k = to_key(p);
  const auto public_point = point(k);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                       const_cast<char*>(facts(k).group), 0),
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       const_cast<char*>("uncompressed"), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(public_point.data()),
                                        public_point.size()),
      OSSL_PARAM_construct_end()};
  return deliver(params, argument);
}

const char* query_operation_name(int operation) noexcept {
  return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "ECDH";
}

}  // namespace

const OSSL_DISPATCH* tik_keymgmt_functions() {
  static const OSSL_DISPATCH table[] = {
      entry<OSSL_FUNC_keymgmt_load_fn>(OSSL_FUNC_KEYMGMT_LOAD, adopt_key),
      entry<OSSL_FUNC_keymgmt_free_fn>(OSSL_FUNC_KEYMGMT_FREE, release_key),
      entry<OSSL_FUNC_keymgmt_has_fn>(OSSL_FUNC_KEYMGMT_HAS, has),
      entry<OSSL_FUNC_keymgmt_match_fn>(OSSL_FUNC_KEYMGMT_MATCH, match),
      entry<OSSL_FUNC_keymgmt_gettable_params_fn>(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,
                                                  gettable_params),
      entry<OSSL_FUNC_keymgmt_get_params_fn>(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
      entry<OSSL_FUNC_keymgmt_export_types_fn>(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, export_types),
      entry<OSSL_FUNC_keymgmt_export_fn>(OSSL_FUNC_KEYMGMT_EXPORT, export_key),
      entry<OSSL_FUNC_keymgmt_query_operation_name_fn>(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME,
                                                       query_operation_name),
      {0, nullptr}};
  return table;
}

}  // namespace atls::provider
