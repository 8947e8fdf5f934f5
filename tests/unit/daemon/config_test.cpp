#include "atlsd/config.hpp"

#include "support/vectors.hpp"

#include <cstdlib>
#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

constexpr const char* good = R"({
  // comments are allowed
  "identity": {"attester": "tpm", "tpm": {"tcti": "device:/dev/tpmrm0", "state_dir": "state"}},
  "verifier": {"url": "https://verifier.example:8443", "result_key": "key.jwk", "timeout": "3s"},
  "tunnels": [{"name": "web", "role": "ingress", "listen": "[::]:8443", "target": "localhost:80",
               "attest": true, "require_attestation": true, "peer": {"kid": "01aa"}}],
  "threads": 2
})";

std::string problem(const std::string& from, const std::string& to) {
  std::string text = good;
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  const auto parsed = config::parse(text, "/etc/atlsd/atlsd.json");
  REQUIRE(parsed.has_error());
  CHECK(parsed.error().code == errc::config_invalid);
  return parsed.error().detail;
}

}  // namespace

TEST_CASE("all that is trusted is measured, and nothing secret", "[config]") {
  const auto directory =
      std::filesystem::temp_directory_path() / ("atls-config-" + std::to_string(::getpid()));
  std::filesystem::create_directory(directory);
  const auto write = [&](const char* name, const char* content) {
    std::ofstream(directory / name) << content;
  };
  const char* const names[] = {"own.pem",       "own.key",    "result.pub",
                               "verifier.ca",   "client.pem", "client.key",
                               "authorization", "peer.ca",    "reference.cbor"};
  const auto measured = [&](const char* text) {
    return config::parse(text, directory / "atlsd.json").value().measurement().value();
  };
  constexpr const char* document = R"({
    "identity": {"certificate": "own.pem", "key": "own.key"},
    "verifier": {"url": "https://v", "result_key": "result.pub", "ca": "verifier.ca",
                 "certificate": "client.pem", "key": "client.key",
                 "authorization_file": "authorization"},
    "policy": {"reference_values": "reference.cbor"},
    "tunnels": [{"name": "a", "role": "egress", "listen": "127.0.0.1:1", "target": "b:1",
                 "peer": {"ca": "peer.ca", "names": ["b"]}}]})";
  for (const char* name : names) {
    write(name, "content");
  }
  const auto before = measured(document);
  CHECK(measured(document) == before);
  for (const char* name : names) {
    const std::string_view text(name);
    const bool is_secret = text.ends_with(".key") || text == "authorization";
    const bool is_explanation = text == "reference.cbor";
    write(name, "another");
    CAPTURE(name);
    CHECK((measured(document) == before) == (is_secret || is_explanation));
    write(name, "content");
  }
  // Nothing moves from one file to another.
  write("verifier.ca", "contentc");
  write("client.pem", "ontent");
  CHECK(measured(document) != before);
  std::string other(document);
  other.replace(other.find("\"a\""), 3, "\"c\"");
  write("verifier.ca", "content");
  write("client.pem", "content");
  CHECK(measured(document) == before);
  CHECK(measured(other.c_str()) != before);
  std::filesystem::remove(directory / "peer.ca");
  CHECK(!config::parse(document, directory / "atlsd.json").value().measurement());
  std::filesystem::remove_all(directory);
}

TEST_CASE("a configuration is read", "[daemon]") {
  const auto c = config::parse(good, "/etc/atlsd/atlsd.json").value();
  CHECK(c.identity.tpm->state_dir == "/etc/atlsd/state");
  CHECK(to_string(c.identity.tpm->pcrs) == default_pcrs);
  CHECK(c.verifiers.at(0).timeout == std::chrono::seconds(3));
  REQUIRE(c.tunnels.size() == 1);
  CHECK(c.tunnels[0].listen.host == "::");
  CHECK(c.tunnels[0].peer.kids == std::vector<bytes>{{0x01, 0xaa}});
  CHECK(c.threads == 2);
}

TEST_CASE("an Azure VM attests by its TPM and the metadata service", "[daemon]") {
  const auto identity = [](const std::string& attester) {
    std::string text = good;
    text.replace(text.find("\"tpm\", \"tpm\""), 5, attester);
    return config::parse(text, "/etc/atlsd/atlsd.json").value().identity;
  };
  using attester = config::attester;
  const auto azure = identity(R"("azure")");
  CHECK(azure.azure->metadata.origin() == "http://169.254.169.254:80");
  CHECK(azure.tpm->state_dir == "/etc/atlsd/state");
  CHECK(azure.attesters == std::vector{attester::azure});
  CHECK_FALSE(azure.is_either());
  const auto both = identity(R"(["azure", "tpm"], "azure": {"metadata": "http://127.0.0.1:81"})");
  CHECK(both.azure->metadata.origin() == "http://127.0.0.1:81");
  CHECK(both.attesters == std::vector{attester::azure, attester::tpm});
  CHECK(both.is_either());
  CHECK_THAT(problem("\"attester\": \"tpm\"", "\"attester\": \"tpm\", \"azure\": {}"),
             Catch::Contains("identity.azure: is given, but \"attester\" is not \"azure\""));
}

TEST_CASE("result keys are a file or several", "[daemon]") {
  using paths = std::vector<std::filesystem::path>;
  const auto keys = [](const std::string& value) {
    std::string text = good;
    text.replace(text.find("\"key.jwk\""), 9, value);
    return config::parse(text, "/etc/atlsd/atlsd.json").value().verifiers.at(0).result_keys;
  };
  CHECK(keys("\"key.jwk\"") == paths{"/etc/atlsd/key.jwk"});
  CHECK(keys("[\"a.pem\", \"/b.jwk\"]") == paths{"/etc/atlsd/a.pem", "/b.jwk"});
  using Catch::Contains;
  for (const auto* none : {"[]", "\"\"", "[\"a.pem\", \"\"]"}) {
    CHECK_THAT(problem("\"key.jwk\"", none),
               Contains("verifier.result_key") && Contains("expected a file or an array of files"));
  }
  CHECK_THAT(problem("\"key.jwk\"", "[7]"), Contains("verifier.result_key: found 7"));
}

TEST_CASE("every mistake in a configuration names its place and what was expected", "[daemon]") {
  using Catch::Contains;
  CHECK_THAT(problem("\"threads\"", "\"thread\""),
             Contains("thread: is not a known key") && Contains("did you mean \"threads\"?"));
  CHECK_THAT(problem("\"listen\"", "\"lisen\""),
             Contains("tunnels[0].lisen: is not a known key; did you mean \"listen\"?") &&
                 Contains("tunnels[0].listen: is missing"));
  CHECK_THAT(problem("\"tcti\"", "\"tctii\""), Contains("identity.tpm.tctii"));
  CHECK_THAT(
      problem("\"ingress\"", "\"server\""),
      Contains("tunnels[0].role: found \"server\", expected one of \"egress\", \"ingress\""));
  CHECK_THAT(problem("\"3s\"", "3"), Contains("verifier.timeout: found 3, expected a duration"));
  CHECK_THAT(problem("localhost:80", "localhost"), Contains("tunnels[0].target"));
  CHECK_THAT(problem("localhost:80", ""), Contains("tunnels[0].target: \"\" is not an address"));
  CHECK_THAT(problem("https://verifier.example:8443", "verifier:8443"),
             Contains("verifier.url") && Contains("no http or https scheme"));
  CHECK_THAT(problem("\"01aa\"", "\"xyz\""), Contains("tunnels[0].peer.kid: found \"xyz\""));
  CHECK_THAT(problem("\"threads\": 2", "\"threads\": 0"), Contains("threads: found 0"));
  CHECK_THAT(problem("\"attest\": true,", "\"attest\": 1,"),
             Contains("tunnels[0].attest: found 1, expected one of false, true, \"evidence\", "
                      "\"passport\""));
  CHECK_THAT(problem("\"threads\": 2", "\"threads\": 2,"), Contains("parse error"));
  CHECK_THAT(problem("\"threads\": 2", "\"threads\": 2, \"threads\": 2"),
             Contains("appears twice"));
  CHECK_THAT(problem("\"state_dir\": \"state\"", "\"pcrs\": \"sha256:0,16\""),
             Contains("identity.tpm.pcrs: PCRs 16 and 23"));
}

TEST_CASE("what makes no sense together is refused", "[daemon]") {
  using Catch::Contains;
  CHECK_THAT(problem("\"attester\": \"tpm\"", "\"attester\": \"none\""),
             Contains("tunnels[0].attest: needs an identity.attester, and there is none") &&
                 Contains("identity.tpm: is given, but \"attester\" is not \"tpm\""));
  CHECK_THAT(
      problem("\"require_attestation\": true, \"peer\": {\"kid\": \"01aa\"}", "\"peer\": {}"),
      Contains("nothing authenticates the peer"));
  CHECK_THAT(problem("\"require_attestation\": true", "\"require_attestation\": false"),
             Contains("tunnels[0].peer.kid"));
  CHECK_THAT(problem("\"kid\": \"01aa\"", "\"names\": [\"a\"]"), Contains("nobody vouches"));
  CHECK_THAT(problem("\"kid\": \"01aa\"", "\"unsafe_unauthenticated\": true"),
             Contains("contradicts"));
}

namespace {

// A configuration with these for its identity, its Verifier and the rest of its one tunnel.
std::string document_of(const std::string& identity, const std::string& verifier,
                        const std::string& tunnel) {
  return R"({"identity": {)" + identity + R"(}, "verifier": )" + verifier +
         R"(, "tunnels": [{"name": "a", "role": "egress", "listen": "127.0.0.1:1",
            "target": "b:1", )" +
         tunnel + "}]}";
}

config valid(const std::string& identity, const std::string& verifier, const std::string& tunnel) {
  return config::parse(document_of(identity, verifier, tunnel), "/etc/atlsd/atlsd.json").value();
}

// Each mistake is to be told alone: what is told twice or beside others is noise.
std::string only_problem(const std::string& identity, const std::string& verifier,
                         const std::string& tunnel) {
  const auto parsed = config::parse(document_of(identity, verifier, tunnel), "a.json");
  REQUIRE(parsed.has_error());
  CHECK(parsed.error().code == errc::config_invalid);
  CHECK_THAT(parsed.error().detail, !Catch::Contains("\n"));
  return parsed.error().detail;
}

constexpr const char* tpm = R"("attester": "tpm")";
constexpr const char* sample =
    R"("attester": "sample", "unsafe_sample": true, "certificate": "c", "key": "k")";
constexpr const char* veraison = R"({"url": "https://V.example:8443/x", "result_key": "key.jwk"})";
constexpr const char* trustee =
    R"({"url": "https://t.example", "type": "trustee", "unsafe_sample_tee": true})";
constexpr const char* anybody = R"("peer": {"unsafe_unauthenticated": true})";
constexpr const char* demanding = R"("require_attestation": true)";

using models = std::vector<attestation_model>;

}  // namespace

TEST_CASE("the sample TEE attests where that is spelled out", "[daemon]") {
  const auto whole = valid(sample, trustee, R"("attest": true, )" + std::string(anybody));
  CHECK(whole.identity.is_sample);
  CHECK(whole.identity.attests());
  CHECK(whole.identity.has_key());
  CHECK(!whole.identity.tpm);
  using Catch::EndsWith;
  CHECK_THAT(
      only_problem(R"("attester": "sample", "certificate": "c", "key": "k")", trustee, anybody),
      EndsWith("identity.unsafe_sample: is not true, but \"attester\" is \"sample\", whose "
               "Evidence proves nothing"));
  CHECK_THAT(
      only_problem(R"("attester": "sample", "unsafe_sample": true, "key": "k")", trustee, anybody),
      EndsWith("identity: \"attester\": \"sample\" needs \"certificate\" and \"key\""));
  CHECK_THAT(only_problem(R"("unsafe_sample": true)", trustee, anybody),
             EndsWith("identity.unsafe_sample: is true, but \"attester\" is not \"sample\""));
  const std::string with_tpm = sample + std::string(R"(, "tpm": {"state_dir": "s"})");
  CHECK_THAT(only_problem(with_tpm, trustee, anybody),
             EndsWith("identity.tpm: is given, but \"attester\" is not \"tpm\""));
}

TEST_CASE("a Verifier has a kind, a name, and Evidence that it appraises", "[daemon]") {
  const auto v = valid(tpm, veraison, demanding).verifiers.at(0);
  CHECK(v.type == verifier_type::veraison);
  CHECK(v.identity == "v.example");
  const auto takes = [](const config::verifier_settings& of, const std::string& type) {
    return std::ranges::find(of.evidence_types, type) != of.evidence_types.end();
  };
  const std::string tpm_type = "application/vnd.parallaxsecond.key-attestation.tpm";
  const std::string sample_type = "application/vnd.atlsd.sample-tee+json";
  CHECK(takes(v, tpm_type));
  CHECK(!takes(v, sample_type));
  const auto t =
      valid(tpm, R"({"url": "https://t.example", "type": "trustee", "identity": "spiffe://t",
                               "policy_ids": ["a", "b"], "unsafe_sample_tee": true})",
            demanding)
          .verifiers.at(0);
  CHECK(t.type == verifier_type::trustee);
  CHECK(t.identity == "spiffe://t");
  CHECK(t.policy_ids == std::vector<std::string>{"a", "b"});
  CHECK(t.unsafe_sample_tee);
  CHECK(!takes(t, tpm_type));
  CHECK(takes(t, sample_type));
  const auto real = valid(tpm, R"({"url": "https://t.example", "type": "trustee"})", demanding);
  CHECK(!takes(real.verifiers.at(0), sample_type));
  const auto k = valid(tpm,
                       R"({"url": "https://k.example", "type": "kbs", "unsafe_sample_tee": true,
                           "result_key": "k.jwk"})",
                       R"("attest": "passport", )" + std::string(anybody))
                     .verifiers.at(0);
  CHECK(k.type == verifier_type::kbs);
  const auto named = valid(tpm,
                           R"({"url": "https://t.example", "type": "trustee", "evidence": ")" +
                               sample_type + R"(", "unsafe_sample_tee": true})",
                           demanding);
  CHECK(named.verifiers.at(0).evidence_types == std::vector<std::string>{sample_type});
}

TEST_CASE("what a Verifier cannot be is told", "[daemon]") {
  using Catch::Contains;
  const auto verifier = [](const std::string& more) {
    return only_problem(tpm, R"({"url": "https://v.example", )" + more + "}", demanding);
  };
  CHECK_THAT(
      verifier(R"("type": "ita")"),
      Contains("verifier.type: found \"ita\", expected one of \"veraison\", \"trustee\", \"kbs\""));
  CHECK_THAT(verifier(R"("identity": "")"),
             Contains("verifier.identity: found 0 bytes, expected 1 to 255"));
  CHECK_THAT(verifier(R"("identity": ")" + std::string(256, 'v') + "\""),
             Contains("verifier.identity: found 256 bytes, expected 1 to 255"));
  CHECK_THAT(verifier(R"("evidence": ["application/eat+cwt"])"),
             Contains("verifier.evidence: found \"application/eat+cwt\"") &&
                 Contains("expected some of "
                          "\"application/vnd.parallaxsecond.key-attestation.tpm\""));
  CHECK_THAT(verifier(R"("evidence": [])"), Contains("verifier.evidence: names no media type"));
  CHECK_THAT(verifier(R"("policy_ids": "a")"),
             Contains("verifier.policy_ids: is given, but \"type\" is not \"trustee\""));
  CHECK_THAT(
      verifier(R"("unsafe_sample_tee": false)"),
      Contains(
          "verifier.unsafe_sample_tee: is given, but \"type\" is neither \"trustee\" nor \"kbs\""));
  const std::string kbs = R"("type": "kbs", "unsafe_sample_tee": true)";
  const auto shows = [&](const std::string& more, const std::string& passport) {
    return only_problem(tpm, R"({"url": "https://k.example", )" + kbs + more + "}",
                        R"("attest": "passport", )" + passport + anybody);
  };
  CHECK_THAT(shows("", ""),
             Contains("verifier.result_key: is missing, and a Key Broker Service does not show"));
  CHECK_THAT(shows(R"(, "result_key": "k")", R"("passport": {"fresh": true}, )"),
             Contains("passport.fresh: is true, but a \"verifier\" is of type \"kbs\""));
  CHECK_THAT(verifier(kbs + R"(, "result_key": "k")"),
             Contains("accepts: holds \"evidence\", but each \"verifier\" is of type \"kbs\""));
  CHECK_THAT(
      verifier(R"("type": "trustee", "evidence": "application/vnd.atlsd.sample-tee+json")"),
      Contains("verifier.evidence: found \"application/vnd.atlsd.sample-tee+json\", which such a "
               "Verifier does not appraise"));
}

TEST_CASE("a tunnel presents Evidence or a passport", "[daemon]") {
  const auto tunnel = [](const std::string& attest) {
    return valid(tpm, veraison, "\"attest\": " + attest + ", " + anybody).tunnels.at(0);
  };
  CHECK(!tunnel("false").attest);
  for (const char* evidence : {"true", R"("evidence")"}) {
    CHECK(tunnel(evidence).attest);
    CHECK(!tunnel(evidence).presents_passport);
  }
  CHECK(tunnel(R"("passport")").attest);
  CHECK(tunnel(R"("passport")").presents_passport);
  CHECK(!tunnel(R"("passport")").passport.fresh);
  CHECK(tunnel(R"("passport")").passport.max_age == std::chrono::minutes(10));
  const auto fresh =
      tunnel(R"("passport", "passport": {"fresh": true, "max_age": "90s"})").passport;
  CHECK(fresh.fresh);
  CHECK(fresh.max_age == std::chrono::seconds(90));
}

TEST_CASE("a tunnel accepts Evidence, passports or both, best first", "[daemon]") {
  const auto accepts = [](const std::string& list) {
    const std::string more = list.empty() ? "" : R"(, "accepts": )" + list;
    return valid(tpm, veraison, demanding + more).tunnels.at(0).accepts;
  };
  CHECK(accepts("") == models{attestation_model::background_check});
  CHECK(accepts(R"("passport")") == models{attestation_model::passport});
  CHECK(accepts(R"(["passport", "evidence"])") ==
        models{attestation_model::passport, attestation_model::background_check});
  CHECK(
      valid(tpm, veraison, demanding).tunnels[0].does_accept(attestation_model::background_check));
  CHECK(!valid(tpm, veraison, demanding).tunnels[0].does_accept(attestation_model::passport));
  CHECK(!valid(tpm, veraison, anybody).tunnels[0].does_accept(attestation_model::background_check));
}

TEST_CASE("Evidence in certificates is accepted where it is spelled out that it is not fresh",
          "[daemon]") {
  using Catch::Contains;
  const std::string attested(demanding);
  const auto only =
      valid(tpm, veraison, attested + R"(, "accepts": "ra-tls", "unsafe_no_freshness": true)")
          .tunnels.at(0);
  CHECK(only.accepts.empty());
  CHECK(only.accepts_certificates);
  CHECK(only.asks_verifier());
  const auto both =
      valid(tpm, veraison,
            attested + R"(, "accepts": ["ra-tls", "passport"], "unsafe_no_freshness": true)")
          .tunnels.at(0);
  CHECK(both.accepts == models{attestation_model::passport});
  CHECK(both.accepts_certificates);
  CHECK_FALSE(valid(tpm, veraison, demanding).tunnels.at(0).accepts_certificates);
  CHECK_THAT(only_problem(tpm, veraison, attested + R"(, "accepts": "ra-tls")"),
             Contains("tunnels[0].accepts: holds \"ra-tls\"") &&
                 Contains("\"unsafe_no_freshness\": true allows it"));
  CHECK_THAT(only_problem(tpm, veraison, attested + R"(, "unsafe_no_freshness": true)"),
             Contains("unsafe_no_freshness: is true, but \"accepts\" does not hold \"ra-tls\""));
}

TEST_CASE("passports are refused where they could not be had or checked", "[daemon]") {
  using Catch::Contains;
  const auto tunnel = [](const std::string& more, const std::string& verifier = veraison) {
    return only_problem(tpm, verifier, more);
  };
  const std::string attested(demanding);
  const std::string peer(anybody);
  CHECK_THAT(only_problem("", veraison, R"("attest": "passport", )" + peer),
             Contains("tunnels[0].attest: needs an identity.attester, and there is none"));
  CHECK_THAT(tunnel(R"("attest": "passport", )" + peer, "[]"),
             Contains("tunnels[0].attest: is \"passport\", but there is no \"verifier\""));
  CHECK_THAT(
      tunnel(attested + R"(, "accepts": [])"),
      Contains(
          "accepts: found [], expected at least one of \"evidence\", \"passport\", \"ra-tls\""));
  CHECK_THAT(tunnel(attested + R"(, "accepts": ["passport", "passport"])"),
             Contains("accepts: \"passport\" appears twice"));
  CHECK_THAT(tunnel(R"("accepts": "passport", )" + peer),
             Contains("accepts: is given, but \"require_attestation\" is not true"));
  CHECK_THAT(tunnel(attested + R"(, "accepts": "passport")", R"({"url": "https://v.example"})"),
             Contains("accepts: holds \"passport\", but no \"verifier\" has the \"result_key\""));
  CHECK_THAT(tunnel(attested + R"(, "accepts": "passport", "peer": {"kid": "01aa"})"),
             Contains("peer.kid: is given, but \"accepts\" holds \"passport\""));
  CHECK_THAT(tunnel(attested + R"(, "passport": {"fresh": true})"),
             Contains("passport: is given, but \"attest\" is not \"passport\""));
  CHECK_THAT(tunnel(attested + R"(, "accepts": "passport", "passport": {"max_age": "999ms"})"),
             Contains("passport.max_age: is less than a second"));
}

TEST_CASE("no rule about Evidence where a passport would do", "[daemon]") {
  const auto tunnel = [](const std::string& fact, const char* accepts) {
    return demanding + std::string(R"(, "accepts": )") + accepts +
           R"(, "policy": {"rules": [{"require": {)" + fact + "}}]}";
  };
  const std::string evidence = R"("evidence.key.curve": "P-256")";
  const std::string result = R"("ear.age_s": {"at_most": 9})";
  CHECK_THAT(only_problem(tpm, veraison, tunnel(evidence, R"(["evidence", "passport"])")),
             Catch::EndsWith("tunnels[0].accepts: holds \"passport\", which shows no Evidence, but "
                             "tunnels[0].policy.rules[0] is about \"evidence.key.curve\""));
  CHECK_NOTHROW(valid(tpm, veraison, tunnel(evidence, R"("evidence")")));
  CHECK_NOTHROW(valid(tpm, veraison, tunnel(result, R"("passport")")));
}

TEST_CASE("passports name their Verifier, which no other may be called", "[daemon]") {
  const std::string two = R"([{"url": "https://v.example:1", "result_key": "a"},
                              {"url": "https://v.example:2", "result_key": "b"}])";
  CHECK_NOTHROW(valid(tpm, two, demanding));
  const std::string accepts = demanding + std::string(R"(, "accepts": "passport")");
  const std::string presents = R"("attest": "passport", )" + std::string(anybody);
  for (const auto& tunnel : {accepts, presents}) {
    CHECK_THAT(only_problem(tpm, two, tunnel),
               Catch::Contains("a.json: verifier[1].identity: \"v.example\" is that of verifier[0] "
                               "too, and passports name their Verifier by it"));
  }
}

namespace {

// "tunnels[].peer.kid" and the like, for every property of a schema.
void collect_keys(const json& schema, const json& root, const std::string& path,
                  std::set<std::string>& keys) {
  if (schema.contains("$ref")) {
    const auto place = schema["$ref"].get<std::string>().substr(1);
    collect_keys(root.at(json::json_pointer(place)), root, path, keys);
  }
  for (const char* several : {"anyOf", "oneOf"}) {
    for (const auto& one : schema.value(several, json::array())) {
      collect_keys(one, root, path, keys);
    }
  }
  if (schema.contains("items")) {
    collect_keys(schema["items"], root, path, keys);
  }
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, property] : properties.items()) {
    const auto full = path + (path.empty() ? "" : ".") + name;
    keys.insert(full);
    // What a rule says is checked by policy_rules.
    if (name != "rules") {
      collect_keys(property, root, full, keys);
    }
  }
}

std::set<std::string> without_indices(const std::set<std::string>& keys) {
  std::set<std::string> out;
  for (auto key : keys) {
    for (auto at = key.find("[]"); at != std::string::npos; at = key.find("[]")) {
      key.erase(at, 2);
    }
    out.insert(key);
  }
  return out;
}

}  // namespace

TEST_CASE("the schema for editors knows exactly the keys that the parser knows", "[daemon]") {
  std::ifstream file(source_directory() / "config/atlsd.schema.json");
  const auto schema = json::parse(file);
  std::set<std::string> of_schema;
  collect_keys(schema, schema, "", of_schema);
  CHECK(of_schema.size() > 60);
  CHECK(of_schema == without_indices(config::known_keys()));
}

TEST_CASE("the environment's values stand in texts", "[daemon]") {
  ::setenv("ATLSD_TEST_PORT", "8443", 1);
  const auto listen = [](const std::string& text) {
    const auto c =
        config::parse(R"({"tunnels": [{"name": "a", "role": "egress", "listen": ")" + text +
                          R"(", "target": "b:1", "peer": {"unsafe_unauthenticated": true}}]})",
                      "/etc/atlsd/atlsd.json");
    return c ? c->tunnels[0].listen.text() : c.error().detail;
  };
  CHECK(listen("127.0.0.1:${ATLSD_TEST_PORT}") == "127.0.0.1:8443");
  CHECK(listen("${ATLSD_TEST_NONE:-127.0.0.1}:${ATLSD_TEST_PORT:-1}") == "127.0.0.1:8443");
  CHECK(listen("unix:/run/a$$b") == "unix:/run/a$b");
  CHECK_THAT(listen("unix:/run/${ATLSD_TEST_NONE}"),
             Catch::Contains("tunnels[0].listen: the environment has no ATLSD_TEST_NONE"));
  // A value is text, whatever it looks like.
  ::setenv("ATLSD_TEST_PORT", "8443\", \"transparent\": true, \"x\": \"", 1);
  CHECK_THAT(listen("127.0.0.1:${ATLSD_TEST_PORT}"), Catch::Contains("is not an address"));
}

TEST_CASE("every example configuration is valid", "[daemon]") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_directory() / "config")) {
    if (entry.path().extension() == ".json" && entry.path().stem() != "atlsd.schema") {
      const auto loaded = config::load(entry.path());
      INFO(entry.path() << (loaded ? "" : loaded.error().detail));
      CHECK(loaded.has_value());
      ++count;
    }
  }
  CHECK(count >= 3);
}
