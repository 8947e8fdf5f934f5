#include "evidence/jose.hpp"

#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

jws_key make(const char* curve_or_type) {
  pkey_ptr key(std::string_view(curve_or_type) == "ED25519"
                   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
               : std::string_view(curve_or_type) == "RSA"
                   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})
                   : EVP_EC_gen(curve_or_type));
  auto algorithm = algorithm_for(key.get()).value();
  return {std::move(algorithm), std::move(key)};
}

}  // namespace

TEST_CASE("what each algorithm signs, it verifies, and nothing else", "[evidence]") {
  for (const auto& [type, algorithm] :
       {std::pair{"P-256", "ES256"}, {"P-384", "ES384"}, {"ED25519", "EdDSA"}, {"RSA", "PS256"}}) {
    INFO(type);
    const auto key = make(type);
    CHECK(key.algorithm == algorithm);
    const auto token = sign_jws("{\"a\":1}", key);
    CHECK(verify_jws(token, key).value() == "{\"a\":1}");
    CHECK(verify_jws(token, make(type)).error().code == errc::ear_signature);

    auto tampered = token;
    auto& payload = tampered[tampered.find('.') + 3];
    payload = payload == 'A' ? 'B' : 'A';
    CHECK(verify_jws(tampered, key).error().code == errc::ear_signature);
  }
}

TEST_CASE("the algorithm is the key's, whatever the header says", "[evidence]") {
  const auto key = make("P-256");
  const auto good = sign_jws("{}", key);
  const auto rest = good.substr(good.find('.'));
  for (const auto* header :
       {R"({"alg":"none"})", R"({"alg":"HS256"})", R"({"alg":"ES384"})", R"({"typ":"JWT"})"}) {
    CHECK(verify_jws(to_base64url(as_bytes(header)) + rest, key).error().code ==
          errc::ear_algorithm);
  }
  CHECK(verify_jws(to_base64url(as_bytes(R"({"alg":"ES256","crit":["x"]})")) + rest, key)
            .error()
            .code == errc::ear_malformed);
}

TEST_CASE("keys in JWK and PEM", "[evidence]") {
  const auto key = make("P-384");
  const auto back = parse_jwk(to_jwk(key)).value();
  CHECK(EVP_PKEY_eq(back.key.get(), key.key.get()) == 1);
  CHECK(parse_public_key(spki_to_pem(spki_of(key.key.get()).value()))->algorithm == "ES384");

  auto jwk = to_jwk(key);
  jwk["alg"] = "ES256";
  CHECK(parse_jwk(jwk).has_error());
  jwk = to_jwk(key);
  jwk["x"] = "AAAA";
  CHECK(parse_jwk(jwk).has_error());
  CHECK(parse_jwk({{"kty", "oct"}, {"k", "AAAA"}}).has_error());
  CHECK(parse_public_key("hello").has_error());
}
