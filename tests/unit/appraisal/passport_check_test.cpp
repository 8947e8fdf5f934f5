// Passports: known answers, and every way in which one must not be accepted.
#include "appraisal/passport_check.hpp"

#include "formats/cmw.hpp"
#include "support/cwt.hpp"
#include "support/software_tpm.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;
using std::chrono::system_clock;

namespace {

constexpr std::int64_t now = 1'800'000'000;

std::shared_ptr<const jws_key> make_key() {
  return std::make_shared<const jws_key>(jws_key{"ES256", new_key()});
}

// A good passport, and who is to accept it.
struct situation {
  std::shared_ptr<const jws_key> key = make_key();
  jws_keys keys{key};
  bytes leaf = spki(new_key());
  bytes binder = bytes(32, 7);
  bool is_fresh = false;
  evidence_schemes schemes = make_schemes({.unsafe_sample = true});
  result_policy results;
  json claims;

  situation() {
    ear good;
    good.profile = ear::veraison_profile;
    good.issued_at = now - 500;
    good.developer = "somebody";
    good.build = "1";
    good.nonce = bytes(32, 8);
    ear_appraisal appraisal;
    appraisal.status = trust_tier::affirming;
    appraisal.vector = {2, 0, 2, 0, 2, 0, 0, 0};
    appraisal.policy_ids = {"policy:PARSEC_TPM"};
    appraisal.attested_key = leaf;
    good.submodules.emplace("PARSEC_TPM", appraisal);
    claims = good.to_json();
  }

  json& appraisal() { return claims["submods"]["PARSEC_TPM"]; }
  std::string token() const { return sign_jws(claims.dump(), *key); }

  errc check(bytes_view cmw) const {
    const auto checked = check_passport(cmw, {.keys = keys,
                                              .leaf_spki = leaf,
                                              .binder = binder,
                                              .is_fresh = is_fresh,
                                              .max_age = std::chrono::seconds(600),
                                              .schemes = schemes,
                                              .results = results,
                                              .now = system_clock::from_time_t(now)});
    return checked ? errc::ok : checked.error().code;
  }
  errc check() const { return check(encode_passport(token(), ear::veraison_profile)); }
};

struct mutation {
  const char* what;
  errc reason;
  void (*apply)(situation&);
};

const mutation mutations[] = {
    {"older than max_age", errc::passport_expired,
     [](situation& s) { s.claims["iat"] = now - 606; }},
    {"expired", errc::passport_expired, [](situation& s) { s.claims["exp"] = now - 5; }},
    {"from the future", errc::ear_from_future, [](situation& s) { s.claims["iat"] = now + 6; }},
    {"another profile", errc::ear_profile,
     [](situation& s) { s.claims["eat_profile"] = "tag:example.org,2026:another"; }},
    {"another key of the Verifier", errc::ear_signature, [](situation& s) { s.key = make_key(); }},
    {"no key is configured", errc::ear_signature, [](situation& s) { s.keys.clear(); }},
    {"another leaf key", errc::ear_key_mismatch, [](situation& s) { s.leaf = spki(new_key()); }},
    {"no key attested", errc::ear_key_mismatch,
     [](situation& s) { s.appraisal().erase("ear.veraison.key-attestation"); }},
    {"a second submodule", errc::ear_submodule,
     [](situation& s) { s.claims["submods"]["OTHER"] = s.appraisal(); }},
    {"not affirming", errc::ear_not_affirming,
     [](situation& s) { s.appraisal()["ear.status"] = "warning"; }},
    {"a vector worse than the status", errc::ear_contradiction,
     [](situation& s) { s.appraisal()["ear.trustworthiness-vector"]["configuration"] = 32; }},
    {"nothing said of a TPM's hardware", errc::policy_vector,
     [](situation& s) { s.appraisal()["ear.trustworthiness-vector"]["hardware"] = 0; }},
    {"another Verifier than pinned", errc::ear_verifier_id,
     [](situation& s) { s.results.verifier_developer = "somebody else"; }},
    {"another policy than pinned", errc::ear_policy_id,
     [](situation& s) { s.results.policy_id = "policy:OTHER"; }},
    {"fresh is demanded", errc::ear_nonce, [](situation& s) { s.is_fresh = true; }},
};

// The verdicts of the known answers; "status" is either of two.
std::vector<errc> reasons_for(const std::string& verdict) {
  static const std::map<std::string, std::vector<errc>> known = {
      {"ok", {errc::ok}},
      {"not an Attestation Result", {errc::evidence_type_unexpected}},
      {"expired", {errc::passport_expired}},
      {"not yet valid", {errc::ear_from_future}},
      {"status", {errc::ear_not_affirming, errc::ear_contradiction}},
      {"key", {errc::ear_key_mismatch}},
  };
  return known.at(verdict);
}

bytes wrapped(const std::string& type, std::string_view value, std::uint32_t indicator = 8) {
  return encode_cmw(type, as_bytes(value), indicator);
}

}  // namespace

TEST_CASE("passports, known answers", "[appraisal]") {
  const auto all = parse_json(read_vector("protocol/passport.json"), errc::internal).value();
  const jws_keys keys{std::make_shared<const jws_key>(parse_jwk(all["verifier_key"]).value())};
  const auto leaf = from_hex(all["leaf_spki"].get<std::string>()).value();
  result_policy results;
  results.clock_skew = std::chrono::seconds(60);
  REQUIRE(all["cases"].size() >= 9);
  for (const auto& known : all["cases"]) {
    INFO(known["name"]);
    const auto checked =
        check_passport(from_hex(known["cmw"].get<std::string>()).value(),
                       {.keys = keys,
                        .leaf_spki = leaf,
                        .max_age = std::chrono::seconds(3600),
                        .schemes = known_schemes(),
                        .results = results,
                        .now = system_clock::from_time_t(all["now"].get<std::int64_t>())});
    const auto found = checked ? errc::ok : checked.error().code;
    INFO(reason(found));
    const auto expected = reasons_for(known["verdict"].get<std::string>());
    CHECK(std::ranges::find(expected, found) != expected.end());
  }
}

TEST_CASE("a good passport is accepted, whatever nonce its Verifier was given", "[appraisal]") {
  situation s;
  CHECK(s.check() == errc::ok);
  // What a Relying Party wants of results that it asked for does not count.
  s.results.max_age = std::chrono::seconds(1);
  CHECK(s.check() == errc::ok);
  s.is_fresh = true;
  s.claims["eat_nonce"] = to_base64url_padded(s.binder);
  CHECK(s.check() == errc::ok);
}

TEST_CASE("a passport of a kind of platform that is not known here needs its status alone",
          "[appraisal]") {
  situation s;
  s.appraisal()["ear.trustworthiness-vector"] = {{"instance-identity", 2}};
  CHECK(s.check() == errc::policy_vector);
  s.claims["submods"] = {{"ANOTHER", s.appraisal()}};
  CHECK(s.check() == errc::ok);
}

TEST_CASE("every mutation of a passport is refused with its own reason", "[appraisal]") {
  for (const auto& m : mutations) {
    INFO(m.what);
    situation s;
    REQUIRE(s.check() == errc::ok);
    m.apply(s);
    CHECK(reason(s.check()) == reason(m.reason));
  }
}

TEST_CASE("a passport of Trustee names key and TEE in what it has appraised", "[appraisal]") {
  const auto trustee = [] {
    situation s;
    const json key = to_jwk({"ES256", key_from_spki(s.leaf).value()});
    s.claims["eat_profile"] = ear::trustee_profile;
    s.claims.erase("eat_nonce");
    s.claims["submods"] = {
        {"cpu0",
         {{"ear.status", "affirming"},
          {"ear.trustworthiness-vector", {{"executables", 3}, {"hardware", 2}}},
          {"ear.veraison.annotated-evidence",
           {{"sample", {{"svn", "1"}}},
            {"report_data", "AAAA"},
            {"init_data_claims", nullptr},
            {"runtime_data_claims", {{"tee-pubkey", key}, {"nonce", "AAAA"}}}}}}}};
    return s;
  };
  CHECK(trustee().check() == errc::ok);

  const auto reason_after = [&](void (*change)(situation&, json & annotated)) {
    auto s = trustee();
    auto& submodule = s.claims["submods"]["cpu0"];
    change(s, submodule["ear.veraison.annotated-evidence"]);
    return reason(s.check());
  };
  using s_t = situation;
  CHECK(reason_after([](s_t& s, json&) { s.leaf = spki(new_key()); }) == "ear_key_mismatch");
  CHECK(reason_after([](s_t&, json& a) { a["runtime_data_claims"] = nullptr; }) ==
        "ear_key_mismatch");
  CHECK(reason_after([](s_t&, json& a) { a["runtime_data_claims"]["tee-pubkey"].erase("y"); }) ==
        "ear_key_mismatch");
  CHECK(reason_after([](s_t& s, json& a) {
          a.erase("runtime_data_claims");
          s.claims["submods"]["cpu0"]["ear.veraison.key-attestation"] = {
              {"akpub", to_base64url(s.leaf)}};
        }) == "ear_key_mismatch");
  CHECK(reason_after([](s_t& s, json&) { s.schemes = make_schemes({}); }) == "ear_evidence");
  CHECK(reason_after([](s_t&, json& a) { a["snp"] = json::object(); }) == "ear_evidence");
  CHECK(reason_after([](s_t&, json& a) { a.erase("sample"); }) == "ear_evidence");
  CHECK(reason_after([](s_t& s, json&) {
          s.claims["submods"]["cpu0"]["ear.trustworthiness-vector"]["executables"] = 0;
        }) == "policy_vector");
  CHECK(reason_after([](s_t& s, json&) { s.is_fresh = true; }) == "ear_nonce");
}

TEST_CASE("a passport with one bit of its signature changed is refused", "[appraisal]") {
  const situation s;
  const auto token = s.token();
  const auto start = token.rfind('.') + 1;
  auto signature = from_base64url(token.substr(start)).value();
  for (const std::size_t at : {std::size_t{0}, signature.size() / 2, signature.size() - 1}) {
    auto changed = signature;
    changed[at] ^= 1;
    const auto tampered = token.substr(0, start) + to_base64url(changed);
    CHECK(s.check(encode_passport(tampered, ear::veraison_profile)) == errc::ear_signature);
  }
}

TEST_CASE("passports are read in each of their wrappings", "[appraisal]") {
  const situation s;
  const auto token = s.token();
  for (const std::string type :
       {"application/eat+jwt", "application/eat-jwt", "Application/EAT+JWT; eat_profile=\"x\""}) {
    INFO(type);
    CHECK(s.check(wrapped(type, token)) == errc::ok);
    CHECK(s.check(wrapped(type, token, 0)) == errc::ok);
    CHECK(s.check(wrapped(type, token, 8 | 4)) == errc::ok);
    const json record{type, to_base64url(as_bytes(token)), 8};
    CHECK(s.check(as_bytes(record.dump())) == errc::ok);
  }
  const auto with_format = [&](std::uint64_t format) {
    cbor::writer out;
    out.array(2).unsigned_integer(format).byte_string(as_bytes(token));
    return std::move(out).data();
  };
  CHECK(s.check(with_format(264)) == errc::ok);
  CHECK(s.check(with_format(263)) == errc::ear_malformed);
  CHECK(s.check(with_format(60)) == errc::evidence_type_unexpected);
}

TEST_CASE("a CWT is a passport, too", "[appraisal]") {
  const situation s;
  cbor::writer claims;
  claims.map(4).integer(265).text(ear::ietf_profile).integer(6).integer(now);
  claims.integer(1004).map(2).integer(0).text("somebody").integer(1).text("1");
  claims.integer(266).map(1).text("PARSEC_TPM").map(3);
  claims.integer(1000).integer(2);
  claims.integer(1001).map(2).integer(2).integer(2).integer(4).integer(2);
  claims.integer(-70002).map(1).text("akpub").byte_string(s.leaf);
  const bytes cwt = sign_cwt(claims.data(), *s.key);

  const auto cmw = encode_passport(to_base64url(cwt), ear::ietf_profile);
  const auto record = parse_cmw_record(cmw).value();
  CHECK(std::get<std::string>(record.type) ==
        "application/eat+cwt; eat_profile=\"tag:ietf.org,2026:rats/ear#03\"");
  CHECK(record.value == cwt);
  CHECK(s.check(cmw) == errc::ok);
  CHECK(s.check(cbor::writer().array(2).integer(263).byte_string(cwt).data()) == errc::ok);
  CHECK(s.check(wrapped("application/eat+jwt", "no dots")) == errc::cmw_malformed);
}

TEST_CASE("what is no Attestation Result is no passport", "[appraisal]") {
  const situation s;
  const auto token = s.token();
  CHECK(s.check(wrapped(std::string(parsec_tpm_evidence::media_type), token, 4)) ==
        errc::evidence_type_unexpected);
  CHECK(s.check(wrapped("application/eat+jwtx", token)) == errc::evidence_type_unexpected);
  CHECK(s.check(wrapped("application/eat+jwt", token, 4)) == errc::cmw_malformed);
  CHECK(s.check(wrapped("application/eat+jwt", token, 16)) == errc::cmw_malformed);
  const json record{"application/eat+jwt", to_base64url(as_bytes(token))};
  CHECK(s.check(as_bytes(json{{"a", record}}.dump())) == errc::cmw_malformed);
  CHECK(s.check({}) == errc::cmw_malformed);
}

TEST_CASE("a passport whose result names no key is tied to it by its nonce", "[appraisal]") {
  const auto snp = [] {
    situation s;
    auto appraisal = s.appraisal();
    appraisal.erase("ear.veraison.key-attestation");
    appraisal["ear.trustworthiness-vector"] = {{"hardware", 2}, {"runtime-opaque", 2}};
    s.claims["submods"] = {{"SEVSNP", std::move(appraisal)}};
    s.claims["eat_nonce"] = to_base64url_padded(nonce_naming(s.leaf).value());
    return s;
  };
  auto s = snp();
  CHECK(s.check() == errc::ok);
  s.leaf = spki(new_key());
  CHECK(s.check() == errc::ear_nonce);

  s = snp();
  s.claims["eat_nonce"] = to_base64url_padded(bytes(64, 8));
  CHECK(s.check() == errc::ear_nonce);

  s = snp();
  s.is_fresh = true;
  CHECK(s.check() == errc::ear_nonce);
  auto report_data = s.binder;
  report_data.resize(64);
  s.claims["eat_nonce"] = to_base64url_padded(report_data);
  CHECK(s.check() == errc::ok);

  s = snp();
  s.claims["submods"]["SEVSNP"]["ear.trustworthiness-vector"]["hardware"] = 0;
  CHECK(s.check() == errc::policy_vector);

  // A result that names a key is believed by that, whatever its nonce.
  s = situation();
  s.claims["eat_nonce"] = to_base64url_padded(nonce_naming(s.leaf).value());
  s.leaf = spki(new_key());
  CHECK(s.check() == errc::ear_key_mismatch);
}

TEST_CASE("a passport has all submodules of its scheme, each as it must be", "[appraisal]") {
  const auto cca = [] {
    situation s;
    auto appraisal = s.appraisal();
    appraisal.erase("ear.veraison.key-attestation");
    appraisal["ear.trustworthiness-vector"] = {
        {"instance-identity", 2}, {"configuration", 2}, {"executables", 2}, {"hardware", 2}};
    s.claims["submods"] = {{"CCA_SSD_PLATFORM", appraisal}, {"CCA_REALM", appraisal}};
    s.claims["eat_nonce"] = to_base64url_padded(nonce_naming(s.leaf).value());
    return s;
  };
  auto s = cca();
  CHECK(s.check() == errc::ok);
  s.claims["submods"]["CCA_REALM"]["ear.trustworthiness-vector"]["executables"] = 3;
  CHECK(s.check() == errc::policy_vector);
  s = cca();
  s.claims["submods"]["CCA_REALM"]["ear.status"] = "warning";
  CHECK(s.check() == errc::ear_not_affirming);
  // One alone is another kind's, and names no key.
  s = cca();
  s.claims["submods"].erase("CCA_REALM");
  CHECK(s.check() == errc::ear_key_mismatch);
  s = cca();
  s.claims["submods"]["THIRD"] = s.claims["submods"]["CCA_REALM"];
  CHECK(s.check() == errc::ear_submodule);
}
