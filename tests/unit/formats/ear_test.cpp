#include "formats/ear.hpp"

#include "formats/jose.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;

namespace {

jws_key vector_key() {
  return parse_jwk(parse_json(read_vector("ear/verify-key.jwk"), errc::internal).value()).value();
}

// A token's file without a newline at its end.
std::string token(const std::string& name) {
  auto text = read_vector("ear/" + name);
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

}  // namespace

TEST_CASE("published EAR tokens verify and decode", "[evidence][vectors]") {
  const auto key = vector_key();
  CHECK(key.algorithm == "ES256");

  const auto full = ear::parse(verify_jws(token("veraison-full-vector.jwt"), key).value()).value();
  CHECK(full.profile == ear::veraison_profile);
  CHECK(full.issued_at == 1666091373);
  const auto& test = full.submodules.at("test");
  CHECK(test.status == trust_tier::affirming);
  CHECK(test.vector == trust_vector{2, 2, 3, 2, 2, 2, 2, 2});

  const auto draft = ear::parse(verify_jws(token("ietf-draft-appendix.jwt"), key).value()).value();
  CHECK(draft.issued_at == 1666529184);  // written as 1.666529184e+09
  CHECK(draft.not_before == 1677247879);
  CHECK(key_from_spki(draft.submodules.at("PARSEC_TPM").attested_key).has_value());

  // The header's own key is not looked at; the configured one happens to be the same.
  CHECK(verify_jws(token("veraison-jwk-header.jwt"), key).has_value());

  const auto extensions =
      ear::parse(verify_jws(token("veraison-extensions.jwt"), key).value()).value();
  CHECK(key_from_spki(extensions.submodules.at("test").attested_key).has_error());
}

TEST_CASE("bad EAR tokens are refused, each for its reason", "[evidence][vectors]") {
  const auto key = vector_key();
  CHECK(verify_jws(token("bad-alg-none.jwt"), key).error().code != errc::ok);
  CHECK(verify_jws(token("bad-alg-hs256.jwt"), key).error().code == errc::ear_algorithm);
  CHECK(verify_jws(token("bad-leading-dot.jwt"), key).error().code == errc::ear_malformed);
  CHECK(verify_jws(token("bad-trailing-segment.jwt"), key).error().code == errc::ear_malformed);
  const auto empty = verify_jws(token("bad-empty-claims.jwt"), key);
  REQUIRE(empty.has_value());
  CHECK(ear::parse(*empty).error().code == errc::ear_malformed);

  // Signed by the key in its own header, which nobody configured.
  const auto foreign = token("trustee-cca-expired.jwt");
  CHECK(verify_jws(foreign, key).error().code == errc::ear_signature);
  const auto header = parse_json(
      as_text(from_base64url(foreign.substr(0, foreign.find('.'))).value()), errc::ear_malformed);
  const auto own_key = parse_jwk((*header)["jwk"]).value();
  const auto claims = ear::parse(verify_jws(foreign, own_key).value()).value();
  CHECK(claims.profile == ear::trustee_profile);
  CHECK(claims.expires == 1752059439);
}

TEST_CASE("published EAR claims in both spellings and in CBOR", "[evidence][vectors]") {
  const auto read = [](const std::string& name) {
    return ear::parse(read_vector("ear/" + name)).value();
  };
  const auto good = read("claims-key-attestation-ok.json");
  CHECK(good.submodules.at("PARSEC_TPM").status == trust_tier::affirming);
  CHECK(key_from_spki(good.submodules.at("PARSEC_TPM").attested_key).has_value());
  const auto bad = read("claims-key-attestation-ko.json");
  CHECK(bad.submodules.at("PARSEC_TPM").status == trust_tier::contraindicated);
  CHECK(bad.submodules.at("PARSEC_TPM").attested_key.empty());
  CHECK(bad.submodules.at("PARSEC_TPM").vector[trust_claim::executables] == 96);
  CHECK(read("claims-toplevel-extensions.json").submodules.at("test").vector == trust_vector{});

  const auto draft = read("ietf-ear-json-1.json");
  CHECK(draft.profile == ear::ietf_profile);
  CHECK(draft.submodules.at("PSA").status == trust_tier::contraindicated);
  CHECK(draft.submodules.at("PSA").policy_ids ==
        std::vector<std::string>{"https://veraison.example/policy/1/60a0068d"});
  CHECK(read("ietf-ear-json-2.json").submodules.size() == 2);
  CHECK_FALSE(
      read("ietf-ext-veraison-json-2.json").submodules.at("PARSEC_TPM").attested_key.empty());

  const auto cwt = ear::from_cbor(
      cbor::decode(read_binary_vector("ear/rust-ear-claims.cbor"), errc::ear_malformed).value());
  REQUIRE(cwt.has_value());
  CHECK(cwt->submodules.at("test").status == trust_tier::none);
}

TEST_CASE("the draft's CBOR example", "[evidence]") {
  // ear-cbor-1 of draft-ietf-rats-ear, by hand.
  cbor::writer out;
  out.map(5).unsigned_integer(265).text("tag:ietf.org,2026:rats/ear#03");
  out.unsigned_integer(6).unsigned_integer(1666529184);
  out.unsigned_integer(1004).map(2).unsigned_integer(0).text("https://veraison-project.org");
  out.unsigned_integer(1).text("vts 0.0.1");
  out.unsigned_integer(1002).byte_string(as_bytes("lifeboatman"));
  out.unsigned_integer(266).map(1).text("PSA").map(3).unsigned_integer(1000).unsigned_integer(96);
  out.unsigned_integer(1001).map(3).unsigned_integer(0).unsigned_integer(2);
  out.unsigned_integer(2).unsigned_integer(96).unsigned_integer(4).unsigned_integer(2);
  out.unsigned_integer(1003).array(1).text("https://veraison.example/policy/1/60a0068d");
  const auto claims = ear::from_cbor(cbor::decode(out.data(), errc::ear_malformed).value()).value();
  CHECK(claims.submodules.at("PSA").status == trust_tier::contraindicated);
  CHECK(claims.build == "vts 0.0.1");
  CHECK(claims.submodules.at("PSA").vector == trust_vector{2, 0, 96, 0, 2, 0, 0, 0});
}

namespace {

// Claims in CBOR, one of which is replaced. Of a submodule: those from 1000 on.
result<ear> cbor_claims(std::int64_t replaced, const bytes& value) {
  const auto text = [](std::string_view of) { return cbor::writer().text(of).data(); };
  const auto number = [](std::uint64_t of) { return cbor::writer().unsigned_integer(of).data(); };
  bytes verifier = cbor::writer().map(2).unsigned_integer(0).text("d").unsigned_integer(1).data();
  append(verifier, text("b"));
  const bytes key_attestation = cbor::writer().map(1).text("akpub").byte_string(bytes{1, 2}).data();
  const bytes vector = cbor::writer().map(1).unsigned_integer(4).unsigned_integer(2).data();
  const auto members = [&](const std::map<std::int64_t, bytes>& all) {
    bytes out = cbor::writer().map(all.size()).data();
    for (const auto& [key, content] : all) {
      append(out, cbor::writer().integer(key).data());
      append(out, key == replaced ? value : content);
    }
    return out;
  };
  bytes submodules = cbor::writer().map(1).text("x").data();
  append(
      submodules,
      members(
          {{1000, number(2)}, {1001, vector}, {1003, text("policy")}, {-70002, key_attestation}}));
  const bytes claims = members({{4, number(20)},
                                {5, number(1)},
                                {6, number(10)},
                                {10, cbor::writer().byte_string(bytes(8, 7)).data()},
                                {265, text(ear::ietf_profile)},
                                {266, submodules},
                                {1004, verifier}});
  return ear::from_cbor(cbor::decode(claims, errc::ear_malformed).value());
}

}  // namespace

TEST_CASE("every claim in CBOR is read, or refused if it is of another type", "[evidence]") {
  const auto good = cbor_claims(0, {}).value();
  CHECK(good.profile == ear::ietf_profile);
  CHECK(good.issued_at == 10);
  CHECK(good.not_before == 1);
  CHECK(good.expires == 20);
  CHECK(good.nonce == bytes(8, 7));
  CHECK(good.developer == "d");
  CHECK(good.build == "b");
  const auto& appraisal = good.submodules.at("x");
  CHECK(appraisal.status == trust_tier::affirming);
  CHECK(appraisal.vector[trust_claim::hardware] == 2);
  CHECK(appraisal.policy_ids == std::vector<std::string>{"policy"});
  CHECK(appraisal.attested_key == bytes{1, 2});

  const bytes boolean{0xf5};
  for (const std::int64_t key : {4, 5, 6, 10, 265, 266, 1004, 1000, 1003}) {
    INFO(key);
    CHECK(cbor_claims(key, boolean).error().code == errc::ear_malformed);
  }
  CHECK(cbor_claims(1000, cbor::writer().unsigned_integer(3).data()).has_error());
  const bytes too_large = cbor::writer().map(1).unsigned_integer(4).unsigned_integer(200).data();
  CHECK(cbor_claims(1001, too_large).error().code == errc::ear_malformed);
  CHECK(cbor_claims(266, cbor::writer().map(0).data()).error().code == errc::ear_malformed);
}

TEST_CASE("the entries of a trust vector by name and by number", "[evidence]") {
  CHECK(trust_claims[trust_claim::instance_identity] == "instance-identity");
  CHECK(trust_claims[trust_claim::configuration] == "configuration");
  CHECK(trust_claims[trust_claim::executables] == "executables");
  CHECK(trust_claims[trust_claim::file_system] == "file-system");
  CHECK(trust_claims[trust_claim::hardware] == "hardware");
  CHECK(trust_claims[trust_claim::runtime_opaque] == "runtime-opaque");
  CHECK(trust_claims[trust_claim::storage_opaque] == "storage-opaque");
  CHECK(trust_claims[trust_claim::sourced_data] == "sourced-data");
}

TEST_CASE("claims are lenient where Veraison is, strict elsewhere", "[evidence]") {
  const json good = {{"eat_profile", ear::veraison_profile},
                     {"iat", 1666091373},
                     {"ear.verifier-id", {{"build", "b"}, {"developer", "d"}}},
                     {"submods", {{"x", {{"ear.status", "affirming"}}}}}};
  REQUIRE(ear::from_json(good).has_value());
  const auto with = [&](const char* pointer, json value) {
    json changed = good;
    changed[json::json_pointer(pointer)] = std::move(value);
    return ear::from_json(changed);
  };
  CHECK(with("/submods/x/ear.status", 32)->submodules.at("x").status == trust_tier::warning);
  CHECK(with("/submods/x/ear.status", "96")->submodules.at("x").status ==
        trust_tier::contraindicated);
  CHECK(with("/submods/x/ear.trustworthiness-vector", {{"hardware", "genuine_hw"}})
            ->submodules.at("x")
            .vector[trust_claim::hardware] == 2);
  CHECK(with("/iat", 1.5e9)->issued_at == 1500000000);
  CHECK(with("/unknown", 1).has_value());

  const std::pair<const char*, json> refused[] = {
      {"/iat", 1.5},
      {"/iat", "now"},
      {"/eat_profile", 7},
      {"/ear.verifier-id", {{"build", "b"}}},
      {"/submods", json::object()},
      {"/submods/x/ear.status", "fine"},
      {"/submods/x/ear.status", 3},
      {"/submods/x/ear.trustworthiness-vector", {{"hardware", 200}}},
      {"/submods/x/ear.trustworthiness-vector", {{"hardware", "shiny"}}},
      {"/submods/x/ear.veraison.key-attestation", {{"akpub", "+/=="}}},
      {"/eat_nonce", "short"},
      {"/exp", "soon"}};
  for (const auto& [pointer, value] : refused) {
    INFO(pointer << " " << value);
    CHECK(with(pointer, value).error().code == errc::ear_malformed);
  }
  CHECK(ear::parse("{\"iat\":1,\"iat\":2}").error().code == errc::ear_malformed);
}

TEST_CASE("tiers of vector entries", "[evidence]") {
  for (const auto& [claim, tier] : {std::pair{-1, trust_tier::none},
                                    {0, trust_tier::none},
                                    {1, trust_tier::none},
                                    {2, trust_tier::affirming},
                                    {31, trust_tier::affirming},
                                    {-2, trust_tier::affirming},
                                    {-32, trust_tier::affirming},
                                    {32, trust_tier::warning},
                                    {95, trust_tier::warning},
                                    {-33, trust_tier::warning},
                                    {-96, trust_tier::warning},
                                    {96, trust_tier::contraindicated},
                                    {127, trust_tier::contraindicated},
                                    {-97, trust_tier::contraindicated},
                                    {-128, trust_tier::contraindicated}}) {
    INFO(claim);
    CHECK(tier_of(claim) == tier);
  }
}
