// The mutation table of the Attestation Result: every claim that matters, each with its reason.
#include "appraisal/ear_check.hpp"

#include "schemes/parsec_tpm/evidence.hpp"
#include "support/cwt.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using std::chrono::system_clock;

namespace {

constexpr std::int64_t now = 1'800'000'000;

jws_key make_key() {
  return {"ES256", new_key()};
}

struct situation {
  jws_key key = make_key();
  bytes leaf = spki(new_key());
  bytes nonce = bytes(32, 7);
  std::string policy_id;
  std::string developer;
  std::string build;
  std::optional<annotated_evidence> annotated;
  json claims;

  situation() {
    ear good;
    good.profile = ear::veraison_profile;
    good.issued_at = now;
    good.developer = "somebody";
    good.build = "1";
    good.nonce = nonce;
    ear_appraisal appraisal;
    appraisal.status = trust_tier::affirming;
    appraisal.vector = {2, 0, 2, 0, 2, 0, 0, 0};
    appraisal.policy_ids = {"policy:PARSEC_TPM"};
    appraisal.attested_key = leaf;
    good.submodules.emplace(parsec_tpm_evidence::scheme, appraisal);
    claims = good.to_json();
  }

  json& appraisal() { return claims["submods"]["PARSEC_TPM"]; }

  std::vector<submodule_shape> shapes{
      {parsec_tpm_evidence::scheme, {trust_claim::executables, trust_claim::hardware}}};

  result<verified_ear> check(std::string token) const {
    const result_binding binding{.profiles = {ear::veraison_profile, ear::ietf_profile},
                                 .submodules = shapes,
                                 .nonce = nonce,
                                 .leaf_spki = leaf,
                                 .annotated = annotated};
    const result_policy policy{
        .verifier_developer = developer, .verifier_build = build, .policy_id = policy_id};
    return check_ear(std::move(token), {key, binding, policy, system_clock::from_time_t(now)});
  }
  result<verified_ear> check() const { return check(sign_jws(claims.dump(), key)); }
};

struct mutation {
  const char* what;
  errc reason;
  void (*apply)(situation&);
};

const mutation mutations[] = {
    {"another profile", errc::ear_profile,
     [](situation& s) { s.claims["eat_profile"] = ear::trustee_profile; }},
    {"no profile", errc::ear_malformed, [](situation& s) { s.claims.erase("eat_profile"); }},
    {"no iat", errc::ear_malformed, [](situation& s) { s.claims.erase("iat"); }},
    {"iat in the future", errc::ear_from_future, [](situation& s) { s.claims["iat"] = now + 6; }},
    {"iat long ago", errc::ear_stale, [](situation& s) { s.claims["iat"] = now - 66; }},
    {"expired", errc::ear_expired, [](situation& s) { s.claims["exp"] = now - 5; }},
    {"not yet valid", errc::ear_not_yet_valid, [](situation& s) { s.claims["nbf"] = now + 6; }},
    {"no verifier identity", errc::ear_malformed,
     [](situation& s) { s.claims.erase("ear.verifier-id"); }},
    {"another verifier than pinned", errc::ear_verifier_id,
     [](situation& s) { s.developer = "somebody else"; }},
    {"another build of the Verifier", errc::ear_verifier_id, [](situation& s) { s.build = "2"; }},
    {"another nonce", errc::ear_nonce,
     [](situation& s) { s.claims["eat_nonce"] = to_base64url_padded(bytes(32, 8)); }},
    {"no nonce", errc::ear_nonce, [](situation& s) { s.claims.erase("eat_nonce"); }},
    {"a shorter nonce", errc::ear_nonce,
     [](situation& s) { s.claims["eat_nonce"] = to_base64url_padded(bytes(31, 7)); }},
    {"no submodule", errc::ear_malformed,
     [](situation& s) { s.claims["submods"] = json::object(); }},
    {"another submodule", errc::ear_submodule,
     [](situation& s) {
       s.claims["submods"] = {{"OTHER", s.appraisal()}};
     }},
    {"a second submodule", errc::ear_submodule,
     [](situation& s) { s.claims["submods"]["OTHER"] = s.appraisal(); }},
    {"status none", errc::ear_not_affirming,
     [](situation& s) { s.appraisal()["ear.status"] = "none"; }},
    {"status warning", errc::ear_not_affirming,
     [](situation& s) { s.appraisal()["ear.status"] = "warning"; }},
    {"status contraindicated", errc::ear_not_affirming,
     [](situation& s) { s.appraisal()["ear.status"] = "contraindicated"; }},
    {"status absent", errc::ear_malformed, [](situation& s) { s.appraisal().erase("ear.status"); }},
    {"a vector worse than the status", errc::ear_contradiction,
     [](situation& s) { s.appraisal()["ear.trustworthiness-vector"]["configuration"] = 32; }},
    {"a failed signature in the vector", errc::ear_contradiction,
     [](situation& s) { s.appraisal()["ear.trustworthiness-vector"]["sourced-data"] = 99; }},
    {"nothing said of executables", errc::policy_vector,
     [](situation& s) { s.appraisal()["ear.trustworthiness-vector"]["executables"] = 0; }},
    {"nothing said of hardware", errc::policy_vector,
     [](situation& s) { s.appraisal()["ear.trustworthiness-vector"].erase("hardware"); }},
    {"another policy than pinned", errc::ear_policy_id,
     [](situation& s) { s.policy_id = "policy:OTHER"; }},
    {"another key attested", errc::ear_key_mismatch,
     [](situation& s) {
       s.appraisal()["ear.veraison.key-attestation"]["akpub"] = to_base64url(spki(new_key()));
     }},
    {"no key attested", errc::ear_key_mismatch,
     [](situation& s) { s.appraisal().erase("ear.veraison.key-attestation"); }},
    {"akpub that is no key", errc::ear_key_mismatch,
     [](situation& s) { s.appraisal()["ear.veraison.key-attestation"]["akpub"] = "YWtwdWIK"; }},
};

}  // namespace

TEST_CASE("a good Attestation Result is accepted", "[verifier]") {
  situation s;
  const auto good = s.check().value();
  CHECK(good.claims().developer == "somebody");
  CHECK_FALSE(good.token().empty());
  s.policy_id = "policy:PARSEC_TPM";
  s.developer = "somebody";
  s.claims["exp"] = now + 1;
  s.claims["iat"] = now - 60;
  CHECK(s.check().has_value());
}

TEST_CASE("every mutation of an Attestation Result is refused with its own reason", "[verifier]") {
  for (const auto& m : mutations) {
    INFO(m.what);
    situation s;
    REQUIRE(s.check().has_value());
    m.apply(s);
    const auto checked = s.check();
    REQUIRE(checked.has_error());
    CHECK(reason(checked.error().code) == reason(m.reason));
  }
}

TEST_CASE("each submodule of an Attestation Result must be there and is checked by itself",
          "[verifier]") {
  situation s;
  const auto outcome = [&] {
    const auto checked = s.check();
    return checked ? errc::ok : checked.error().code;
  };
  s.shapes.push_back({"REALM", {}, {trust_claim::executables}});
  CHECK(outcome() == errc::ear_submodule);
  const auto good = s.appraisal();
  s.claims["submods"]["REALM"] = good;
  CHECK(outcome() == errc::ok);
  s.claims["submods"]["OTHER"] = good;
  CHECK(outcome() == errc::ear_submodule);
  s.claims["submods"].erase("OTHER");

  auto& realm = s.claims["submods"]["REALM"];
  realm["ear.trustworthiness-vector"]["executables"] = 3;  // affirms, but has not recognised it
  CHECK(outcome() == errc::policy_vector);
  realm = good;
  realm["ear.status"] = "none";
  CHECK(outcome() == errc::ear_not_affirming);
  realm = good;
  realm.erase("ear.veraison.key-attestation");
  CHECK(outcome() == errc::ear_key_mismatch);
}

TEST_CASE("what the Verifier says is wrong is told with the reason", "[verifier]") {
  situation s;
  s.appraisal()["ear.veraison.policy-claims"] = {{"problem", "no trust anchor"}};
  s.appraisal()["ear.status"] = "contraindicated";
  CHECK(s.check().error().detail == "status contraindicated: no trust anchor");
  s.claims["submods"] = {{"OTHER", s.appraisal()}};
  CHECK(s.check().error().detail == "found OTHER (no trust anchor), expected PARSEC_TPM");
}

TEST_CASE("an Attestation Result of another key, or tampered with, is refused", "[verifier]") {
  const situation s;
  CHECK(s.check(sign_jws(s.claims.dump(), make_key())).error().code == errc::ear_signature);
  auto token = sign_jws(s.claims.dump(), s.key);
  token[token.find('.') + 10] ^= 1;
  CHECK(s.check(token).error().code == errc::ear_signature);
  CHECK(s.check("").error().code == errc::ear_malformed);
  CHECK(s.check("a.b.c.d").error().code == errc::ear_malformed);
  auto twice = s.claims.dump();
  twice.insert(1, "\"iat\":" + std::to_string(now) + ",");
  CHECK(s.check(sign_jws(twice, s.key)).error().code == errc::ear_malformed);
}

TEST_CASE("an Attestation Result as a CWT passes the same checks", "[verifier]") {
  const situation s;
  const auto cwt = [&](bytes_view nonce, std::int64_t not_before) {
    cbor::writer out;
    out.map(6).integer(265).text(ear::ietf_profile).integer(6).integer(now);
    out.integer(5).integer(not_before).integer(10).byte_string(nonce);
    out.integer(1004).map(2).integer(0).text("somebody").integer(1).text("1");
    out.integer(266).map(1).text(parsec_tpm_evidence::scheme).map(3);
    out.integer(1000).integer(2);
    out.integer(1001).map(2).integer(2).integer(2).integer(4).integer(2);
    out.integer(-70002).map(1).text("akpub").byte_string(s.leaf);
    return to_base64url(sign_cwt(out.data(), s.key));
  };
  CHECK(s.check(cwt(s.nonce, now)).has_value());
  CHECK(s.check(cwt(bytes(32, 8), now)).error().code == errc::ear_nonce);
  CHECK(s.check(cwt(s.nonce, now + 100)).error().code == errc::ear_not_yet_valid);
  CHECK(s.check("not base64!").error().code == errc::ear_malformed);
  const situation another;
  CHECK(another.check(cwt(another.nonce, now)).error().code == errc::ear_signature);
}

TEST_CASE("a result that shows what it appraised must show this Evidence and nothing else",
          "[verifier]") {
  situation s;
  s.annotated = annotated_evidence{"snp", "00ff"};
  const json good = {{"report_data", "00ff"},
                     {"snp", {{"measurement", "1"}}},
                     {"init_data", ""},
                     {"runtime_data_claims", json::object()}};
  const auto with = [&](const json& annotated_evidence) {
    s.appraisal()["ear.veraison.annotated-evidence"] = annotated_evidence;
    const auto checked = s.check();
    return checked ? errc::ok : checked.error().code;
  };
  CHECK(s.check().error().code == errc::ear_evidence);
  CHECK(with(good) == errc::ok);
  auto other = good;
  other["report_data"] = "00fe";
  CHECK(with(other) == errc::ear_evidence);
  other = good;
  other.erase("report_data");
  CHECK(with(other) == errc::ear_evidence);
  other = good;
  other["tdx"] = json::object();
  CHECK(with(other) == errc::ear_evidence);
  other.erase("snp");
  CHECK(with(other) == errc::ear_evidence);
  other = good;
  other["snp"] = "no object";
  CHECK(with(other) == errc::ear_evidence);
}
