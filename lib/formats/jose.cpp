#include "formats/jose.hpp"

#include "core/text.hpp"

#include <array>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace atls {
namespace {

struct ec_algorithm {
  std::string_view jws;
  std::string_view curve;
  const char* group;
  const char* hash;
  std::size_t coordinate_size;
};
constexpr std::array ec_algorithms = {ec_algorithm{"ES256", "P-256", "prime256v1", "SHA256", 32},
                                      ec_algorithm{"ES384", "P-384", "secp384r1", "SHA384", 48},
                                      ec_algorithm{"ES512", "P-521", "secp521r1", "SHA512", 66}};
constexpr const char* supported =
    "expected ES256, ES384, ES512 (EC keys on P-256, P-384, P-521), EdDSA (Ed25519) or PS256 (RSA "
    "keys of at least 2048 bits)";

const ec_algorithm* ec_by(std::string_view ec_algorithm::*member, std::string_view value) {
  const auto* found = std::ranges::find(ec_algorithms, value, member);
  return found != ec_algorithms.end() ? found : nullptr;
}

failure bad_key(std::string why) {
  return {errc::certificate_invalid, std::move(why)};
}

result<bytes> jwk_bytes(const json& jwk, const char* name) {
  const auto text = string_member(jwk, name);
  auto value = text ? from_base64url(*text) : std::nullopt;
  if (!value) {
    return bad_key(std::string("the JWK's \"") + name + "\" is absent or not base64url");
  }
  return std::move(*value);
}

// Names what a JWK says of its algorithm.
failure unsupported(const json& jwk) {
  std::string found;
  for (const char* name : {"kty", "crv", "alg"}) {
    if (jwk.contains(name)) {
      found.append(found.empty() ? "" : ", ").append(name).append(" ").append(jwk[name].dump());
    }
  }
  return bad_key("found " + (found.empty() ? "no kty" : found) + "; " + supported);
}

using param_build_ptr = std::unique_ptr<OSSL_PARAM_BLD, openssl_deleter<OSSL_PARAM_BLD_free>>;
using params_ptr = std::unique_ptr<OSSL_PARAM, openssl_deleter<OSSL_PARAM_free>>;
using bn_ptr = std::unique_ptr<BIGNUM, openssl_deleter<BN_free>>;

bn_ptr to_bn(bytes_view value) {
  return bn_ptr(BN_bin2bn(value.data(), static_cast<int>(value.size()), nullptr));
}

result<pkey_ptr> from_params(const char* type, int selection, OSSL_PARAM_BLD* build) {
  const params_ptr params(OSSL_PARAM_BLD_to_param(build));
  const pkey_ctx_ptr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, selection, params.get()) != 1) {
    return bad_key("the JWK is not a valid key: " + openssl_errors());
  }
  return pkey_ptr(key);
}

result<pkey_ptr> ec_key(const json& jwk) {
  const auto* curve = ec_by(&ec_algorithm::curve, string_member(jwk, "crv").value_or(""));
  if (curve == nullptr) {
    return unsupported(jwk);
  }
  ATLS_TRY(const bytes x, jwk_bytes(jwk, "x"));
  ATLS_TRY(const bytes y, jwk_bytes(jwk, "y"));
  if (x.size() != curve->coordinate_size || y.size() != curve->coordinate_size) {
    return bad_key("the JWK's coordinates are not of the curve's size");
  }
  bytes point{4};
  append(point, x);
  append(point, y);
  const param_build_ptr build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  bn_ptr secret;
  if (jwk.contains("d")) {
    ATLS_TRY(const bytes d, jwk_bytes(jwk, "d"));
    secret = to_bn(d);
    OSSL_PARAM_BLD_push_BN_pad(build.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get(),
                               curve->coordinate_size);
  }
  return from_params("EC", secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, build.get());
}

result<pkey_ptr> rsa_key(const json& jwk) {
  ATLS_TRY(const bytes n, jwk_bytes(jwk, "n"));
  ATLS_TRY(const bytes e, jwk_bytes(jwk, "e"));
  if (n.size() < 256) {
    return bad_key("the JWK's RSA modulus is shorter than 2048 bits");
  }
  const bn_ptr modulus = to_bn(n);
  const bn_ptr exponent = to_bn(e);
  const param_build_ptr build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return from_params("RSA", EVP_PKEY_PUBLIC_KEY, build.get());
}

result<pkey_ptr> okp_key(const json& jwk) {
  ATLS_TRY(const bytes x, jwk_bytes(jwk, "x"));
  if (string_member(jwk, "crv") != "Ed25519" || x.size() != 32) {
    return unsupported(jwk);
  }
  return pkey_ptr(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, x.data(), x.size()));
}

const char* hash_for(std::string_view algorithm) {
  if (const auto* ec = ec_by(&ec_algorithm::jws, algorithm)) {
    return ec->hash;
  }
  return algorithm == "PS256" ? "SHA256" : nullptr;
}

bool use_pss(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

using ecdsa_ptr = std::unique_ptr<ECDSA_SIG, openssl_deleter<ECDSA_SIG_free>>;

// r || s (RFC 7518 section 3.4) to DER.
std::optional<bytes> raw_to_der(bytes_view raw, std::size_t size) {
  if (raw.size() != 2 * size) {
    return std::nullopt;
  }
  const ecdsa_ptr signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), to_bn(raw.first(size)).release(),
                 to_bn(raw.subspan(size)).release());
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  bytes out(der, der + length);
  OPENSSL_free(der);
  return out;
}

bytes der_to_raw(bytes_view der, std::size_t size) {
  const unsigned char* cursor = der.data();
  const ecdsa_ptr signature(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(der.size())));
  bytes out(2 * size);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), static_cast<int>(size));
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + size, static_cast<int>(size));
  return out;
}

}  // namespace

result<std::string> algorithm_for(EVP_PKEY* key) {
  char group[64] = "";
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    EVP_PKEY_get_group_name(key, group, sizeof group, nullptr);
    for (const auto& ec : ec_algorithms) {
      if (std::string_view(group) == ec.group) {
        return std::string(ec.jws);
      }
    }
  } else if (EVP_PKEY_is_a(key, "ED25519") == 1) {
    return std::string("EdDSA");
  } else if (EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) >= 2048) {
    return std::string("PS256");
  }
  return bad_key(supported);
}

result<jws_key> parse_jwk(const json& jwk) {
  if (!jwk.is_object()) {
    return bad_key("a JWK is a JSON object");
  }
  const auto type = string_member(jwk, "kty").value_or("");
  auto key = type == "EC"    ? ec_key(jwk)
             : type == "RSA" ? rsa_key(jwk)
             : type == "OKP" ? okp_key(jwk)
                             : result<pkey_ptr>(unsupported(jwk));
  if (!key) {
    return key.error();
  }
  ATLS_TRY(auto algorithm, algorithm_for(key->get()));
  if (jwk.contains("alg") && string_member(jwk, "alg") != algorithm) {
    return unsupported(jwk);
  }
  return jws_key{std::move(algorithm), std::move(*key)};
}

namespace {

struct openssl_free {
  void operator()(void* memory) const noexcept { OPENSSL_free(memory); }
};

result<jws_keys> parse_pem_keys(std::string_view text) {
  const bio_ptr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  jws_keys out;
  for (;;) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* der = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &name, &header, &der, &size) != 1) {
      break;
    }
    const std::unique_ptr<char, openssl_free> name_owner(name);
    const std::unique_ptr<char, openssl_free> header_owner(header);
    const std::unique_ptr<unsigned char, openssl_free> der_owner(der);
    if (std::string_view(name) != PEM_STRING_PUBLIC) {
      return bad_key("found a PEM block \"" + std::string(name) + "\", expected \"PUBLIC KEY\"");
    }
    ATLS_TRY(auto key, key_from_spki({der, static_cast<std::size_t>(size)}));
    ATLS_TRY(auto algorithm, algorithm_for(key.get()));
    out.push_back(std::make_shared<const jws_key>(jws_key{std::move(algorithm), std::move(key)}));
  }
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const auto why = openssl_errors();
  if (out.empty() || !is_at_end) {
    return bad_key("not a PEM public key: " + why);
  }
  return out;
}

}  // namespace

result<jws_keys> parse_public_keys(std::string_view text) {
  if (text.find("-----BEGIN") != std::string_view::npos) {
    return parse_pem_keys(text);
  }
  auto document = parse_json(text, errc::certificate_invalid);
  if (!document) {
    return bad_key("expected a JWK, a JWK Set or PEM public keys: " + document.error().detail);
  }
  const bool is_set = document->is_object() && document->contains("keys");
  const json keys = is_set ? (*document)["keys"] : json::array({*document});
  if (!keys.is_array() || keys.empty()) {
    return bad_key("the JWK Set has no keys");
  }
  jws_keys out;
  for (const auto& jwk : keys) {
    ATLS_TRY(auto key, parse_jwk(jwk));
    out.push_back(std::make_shared<const jws_key>(std::move(key)));
  }
  return out;
}

json to_jwk(const jws_key& key) {
  json out{{"alg", key.algorithm}};
  if (const auto* ec = ec_by(&ec_algorithm::jws, key.algorithm)) {
    bytes point(1 + 2 * ec->coordinate_size);
    std::size_t size = 0;
    EVP_PKEY_get_octet_string_param(key.key.get(), OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point.data(),
                                    point.size(), &size);
    const bytes_view coordinates = bytes_view(point).subspan(1);
    out["kty"] = "EC";
    out["crv"] = ec->curve;
    out["x"] = to_base64url(coordinates.first(ec->coordinate_size));
    out["y"] = to_base64url(coordinates.subspan(ec->coordinate_size));
    return out;
  }
  if (key.algorithm == "EdDSA") {
    bytes x(32);
    std::size_t size = x.size();
    EVP_PKEY_get_raw_public_key(key.key.get(), x.data(), &size);
    out["kty"] = "OKP";
    out["crv"] = "Ed25519";
    out["x"] = to_base64url(x);
    return out;
  }
  throw error({errc::certificate_invalid, "RSA keys are not written as a JWK"});
}

bool verify_signature(const jws_key& key, bytes_view signed_part, bytes_view signature) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  bytes der;
  if (const auto* ec = ec_by(&ec_algorithm::jws, key.algorithm)) {
    auto converted = raw_to_der(signature, ec->coordinate_size);
    if (!converted) {
      return false;
    }
    der = std::move(*converted);
    signature = der;
  }
  const bool ok = EVP_DigestVerifyInit_ex(context.get(), &key_context, hash_for(key.algorithm),
                                          nullptr, nullptr, key.key.get(), nullptr) == 1 &&
                  (key.algorithm != "PS256" || use_pss(key_context)) &&
                  EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                   signed_part.data(), signed_part.size()) == 1;
  (void)openssl_errors();
  return ok;
}

result<std::string> verify_jws(std::string_view token, const jws_key& key) {
  const auto parts = split(token, '.');
  if (parts.size() != 3) {
    return failure(errc::ear_malformed,
                   "a compact JWS has three segments, not " + std::to_string(parts.size()));
  }
  const auto header_bytes = from_base64url(parts[0]);
  const auto payload = from_base64url(parts[1]);
  const auto signature = from_base64url(parts[2]);
  if (!header_bytes || !payload || !signature) {
    return failure(errc::ear_malformed, "a segment is not base64url");
  }
  ATLS_TRY(const json header, parse_json(as_text(*header_bytes), errc::ear_malformed));
  if (!header.is_object() || header.contains("crit")) {
    return failure(errc::ear_malformed, "the header is not an object or has a \"crit\"");
  }
  if (const auto algorithm = string_member(header, "alg"); algorithm != key.algorithm) {
    return failure(errc::ear_algorithm, "found " + algorithm.value_or("none") +
                                            ", the configured key is for " + key.algorithm);
  }
  const auto signed_size = parts[0].size() + 1 + parts[1].size();
  if (!verify_signature(key, as_bytes(token.substr(0, signed_size)), *signature)) {
    return failure(errc::ear_signature);
  }
  return std::string(as_text(*payload));
}

bytes sign(const jws_key& key, bytes_view message) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  bytes signature(1024);
  auto size = signature.size();
  if (EVP_DigestSignInit_ex(context.get(), &key_context, hash_for(key.algorithm), nullptr, nullptr,
                            key.key.get(), nullptr) != 1 ||
      (key.algorithm == "PS256" && !use_pss(key_context)) ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    throw error({errc::internal, "cannot sign: " + openssl_errors()});
  }
  signature.resize(size);
  const auto* ec = ec_by(&ec_algorithm::jws, key.algorithm);
  return ec != nullptr ? der_to_raw(signature, ec->coordinate_size) : signature;
}

std::string sign_jws(std::string_view payload, const jws_key& key) {
  const json header{{"alg", key.algorithm}, {"typ", "JWT"}};
  const std::string token =
      to_base64url(as_bytes(header.dump())) + '.' + to_base64url(as_bytes(payload));
  return token + '.' + to_base64url(sign(key, as_bytes(token)));
}

}  // namespace atls
