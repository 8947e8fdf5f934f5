#include "formats/jose.hpp"

#include "support/jws_keys.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

TEST_CASE("what each algorithm signs, it verifies, and nothing else", "[evidence]") {
  for (const auto& [type, algorithm] : {std::pair{"P-256", "ES256"},
                                        {"P-384", "ES384"},
                                        {"P-521", "ES512"},
                                        {"ED25519", "EdDSA"},
                                        {"RSA", "PS256"}}) {
    INFO(type);
    const auto key = new_jws_key(type);
    CHECK(key.algorithm == algorithm);
    const auto token = sign_jws("{\"a\":1}", key);
    CHECK(verify_jws(token, key).value() == "{\"a\":1}");
    CHECK(verify_jws(token, new_jws_key(type)).error().code == errc::ear_signature);

    auto tampered = token;
    auto& payload = tampered[tampered.find('.') + 3];
    payload = payload == 'A' ? 'B' : 'A';
    CHECK(verify_jws(tampered, key).error().code == errc::ear_signature);
  }
}

TEST_CASE("the algorithm is the key's, whatever the header says", "[evidence]") {
  const auto key = new_jws_key("P-256");
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

TEST_CASE("keys in JWK", "[evidence]") {
  for (const auto* type : {"P-256", "P-521", "ED25519"}) {
    const auto written = new_jws_key(type);
    CHECK(EVP_PKEY_eq(parse_jwk(to_jwk(written)).value().key.get(), written.key.get()) == 1);
  }
  const auto key = new_jws_key("P-384");
  auto jwk = to_jwk(key);
  jwk["alg"] = "ES256";
  CHECK(parse_jwk(jwk).has_error());
  jwk = to_jwk(key);
  jwk["x"] = "AAAA";
  CHECK(parse_jwk(jwk).has_error());
  CHECK(parse_jwk({{"kty", "oct"}, {"k", "AAAA"}}).has_error());
}

TEST_CASE("a file of public keys: JWK, JWK Set, PEM", "[evidence]") {
  const auto first = new_jws_key("P-256");
  const auto second = new_jws_key("P-521");
  const auto pem = [](const jws_key& key) { return spki_to_pem(spki_of(key.key.get()).value()); };
  const auto set = json{{"keys", {to_jwk(first), to_jwk(second)}}};
  for (const auto& text : {set.dump(), pem(first) + "# the next one\n" + pem(second)}) {
    INFO(text);
    const auto keys = parse_public_keys(text).value();
    REQUIRE(keys.size() == 2);
    CHECK(EVP_PKEY_eq(keys[0]->key.get(), first.key.get()) == 1);
    CHECK(keys[0]->algorithm == "ES256");
    CHECK(EVP_PKEY_eq(keys[1]->key.get(), second.key.get()) == 1);
    CHECK(keys[1]->algorithm == "ES512");
  }
  CHECK(parse_public_keys(to_jwk(first).dump())->size() == 1);
  CHECK(parse_public_keys(pem(second))->size() == 1);

  auto cut_short = pem(first) + pem(second);
  cut_short.resize(cut_short.size() - 40);
  for (const auto& bad : {std::string("hello"), std::string(), std::string(R"({"keys":[]})"),
                          std::string(R"({"keys":1})"), std::string(R"([])"), cut_short,
                          std::string("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
                          json{{"keys", {to_jwk(first), json{{"kty", "oct"}}}}}.dump()}) {
    INFO(bad);
    CHECK(parse_public_keys(bad).error().code == errc::certificate_invalid);
  }
}

TEST_CASE("a key of an algorithm that is not supported says which, and what is expected",
          "[evidence]") {
  const auto why = [](const char* jwk) {
    return parse_jwk(parse_json(jwk, errc::internal).value()).error().detail;
  };
  const std::string n = std::string(341, 'q') + "g";
  for (const auto& [jwk, found] :
       {std::pair{std::string(R"({"kty":"EC","crv":"secp256k1","alg":"ES256K"})"),
                  R"(found kty "EC", crv "secp256k1", alg "ES256K")"},
        {R"({"kty":"OKP","crv":"Ed448","alg":"EdDSA","x":"AAAA"})",
         R"(found kty "OKP", crv "Ed448", alg "EdDSA")"},
        {R"({"kty":"RSA","alg":"RS256","e":"AQAB","n":")" + n + "\"}",
         R"(found kty "RSA", alg "RS256")"},
        {R"({"kty":"oct","alg":"HS256"})", R"(found kty "oct", alg "HS256")"},
        {"{}", "found no kty"}}) {
    INFO(jwk);
    const auto detail = why(jwk.c_str());
    CHECK(detail.starts_with(found));
    CHECK(detail.find("expected ES256, ES384, ES512") != std::string::npos);
  }
}
