#include "dialects/trustee/trustee_dialect.hpp"

#include "formats/ear.hpp"
#include "support/jws_keys.hpp"
#include "unit/appraisal/dialects/fake_scheme.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using namespace std::chrono_literals;

namespace {

const bytes nonce(32, 0x5a);
const std::string report_data = std::string(64, '5') + std::string(64, '0');

struct stage {
  trustee_dialect dialect{url::parse("http://trustee.example:8080/site").value(), {"atls"}};
  fake_scheme scheme;

  stage() {
    scheme.verifier = verifier_type::trustee;
    scheme.tee = {json{{"cert_chain", nullptr}, {"attestation_report", {1, 2}}}, report_data};
  }
  std::unique_ptr<appraisal_exchange> open() const {
    return dialect.open(scheme, fake_statement(), nonce).value();
  }
  result<std::variant<next_request, std::string>> resume(const http_reply& answer) const {
    const auto exchange = open();
    exchange->begin();
    return exchange->resume(answer);
  }
};

http_reply reply(unsigned status, std::string body) {
  return {.status = status, .content_type = "text/plain", .body = std::move(body)};
}

json result_about(const json& annotated, const std::string& submodule = "cpu0") {
  return {{"eat_profile", ear::trustee_profile},
          {"iat", 1'800'000'000},
          {"ear.verifier-id", {{"build", "b"}, {"developer", "d"}}},
          {"submods",
           {{submodule,
             {{"ear.status", "affirming"}, {"ear.veraison.annotated-evidence", annotated}}}}}};
}

const json honest_annotation{{"report_data", report_data}, {"snp", json::object()}};

std::string signed_by_somebody(const json& claims) {
  static const auto key = new_jws_key("P-256");
  return sign_jws(claims.dump(), key);
}

std::string segment(const json& of) {
  return to_base64url(as_bytes(of.dump()));
}

http_reply key_set(const json& says, std::string cache_control = "") {
  return {.status = 200, .cache_control = std::move(cache_control), .body = says.dump()};
}

}  // namespace

TEST_CASE("Trustee: one request holds everything", "[verifier]") {
  const stage s;
  const auto exchange = s.open();
  const auto request = exchange->begin();
  CHECK(request.method == "POST");
  CHECK(request.target == "/site/attestation");
  CHECK(request.content_type == "application/json");
  CHECK_FALSE(request.accept.empty());
  CHECK(exchange->has_sent_evidence());

  const auto body = parse_json(as_text(request.body), errc::internal).value();
  CHECK(body.size() == 2);
  CHECK(body["policy_ids"] == json::array({"atls"}));
  REQUIRE(body["verification_requests"].size() == 1);
  const auto& one = body["verification_requests"][0];
  CHECK(one.size() == 3);
  CHECK(one["tee"] == "snp");
  CHECK(one["runtime_data"] == json{{"raw", to_base64url(nonce)}});
  const auto evidence = from_base64url(one["evidence"].get<std::string>());
  REQUIRE(evidence.has_value());
  CHECK(parse_json(as_text(*evidence), errc::internal).value() == s.scheme.tee.evidence);

  const auto token = signed_by_somebody(result_about(honest_annotation));
  CHECK(std::get<std::string>(exchange->resume(reply(200, token)).value()) == token);
}

TEST_CASE("Trustee: without a policy it is asked for its default", "[verifier]") {
  const stage s;
  const trustee_dialect dialect(url::parse("http://trustee.example").value(), {});
  const auto request = dialect.open(s.scheme, fake_statement(), nonce).value()->begin();
  CHECK(request.target == "/attestation");
  CHECK(parse_json(as_text(request.body), errc::internal).value()["policy_ids"] == json::array());
}

TEST_CASE("Trustee: no nonce that it would cut or do without", "[verifier]") {
  const stage s;
  for (const std::size_t size : {1, 64}) {
    CHECK(s.dialect.open(s.scheme, fake_statement(), bytes(size, 1)).has_value());
  }
  for (const std::size_t size : {0, 65}) {
    const auto opened = s.dialect.open(s.scheme, fake_statement(), bytes(size, 1));
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == errc::internal);
    CHECK(opened.error().detail ==
          "a nonce of " + std::to_string(size) + " bytes, expected 1 to 64");
  }
}

TEST_CASE("Trustee: Evidence that has no form for it is not sent", "[verifier]") {
  const auto refused_by = [](const stage& s) {
    const auto opened = s.dialect.open(s.scheme, fake_statement(), nonce);
    return opened ? errc::ok : opened.error().code;
  };
  stage other;
  other.scheme.verifier = verifier_type::veraison;
  CHECK(refused_by(other) == errc::verifier_evidence_type);
  stage nameless;
  nameless.scheme.looks.tee = "";
  CHECK(refused_by(nameless) == errc::verifier_evidence_type);
  // Nothing could tell its answer from another one's.
  stage unbound;
  unbound.scheme.tee.report_data.clear();
  CHECK(refused_by(unbound) == errc::verifier_evidence_type);
}

TEST_CASE("Trustee: whatever its status, a refusal is of what it was asked", "[verifier]") {
  const stage s;
  for (const unsigned status : {201U, 202U, 204U, 302U, 400U, 404U, 500U, 503U}) {
    INFO(status);
    const auto step = s.resume(reply(status,
                                     "An internal error occured: \n0: attestation report "
                                     "evaluate\n1: \x01\xff bad"));
    REQUIRE_FALSE(step.has_value());
    CHECK(step.error().code == errc::verifier_rejected);
    CHECK(step.error().detail ==
          "status " + std::to_string(status) +
              ": An internal error occured: 0: attestation report evaluate 1: bad");
  }
  const auto long_text = s.resume(reply(500, std::string(1 << 16, 'x')));
  CHECK(long_text.error().detail == "status 500: " + std::string(200, 'x'));
  // A result that comes with another status is none.
  const auto token = signed_by_somebody(result_about(honest_annotation));
  CHECK(s.resume(reply(500, token)).error().code == errc::verifier_rejected);
}

TEST_CASE("Trustee: an answer to another request", "[verifier]") {
  const stage s;
  auto other = report_data;
  other.front() = '6';
  const auto shorter = std::string(64, '5') + std::string(62, '0');
  for (const auto& says : {other, shorter, std::string(), std::string(1 << 12, '5')}) {
    const auto token = signed_by_somebody(result_about({{"report_data", says}}));
    const auto step = s.resume(reply(200, token));
    REQUIRE_FALSE(step.has_value());
    CHECK(step.error().code == errc::verifier_nonce);
    CHECK_THAT(step.error().detail, Catch::EndsWith("expected " + report_data));
    CHECK(step.error().detail.size() < 500);
  }
  // What the submodule is called is for the check of the result to judge.
  const auto token = signed_by_somebody(result_about(honest_annotation, "gpu0"));
  CHECK(s.resume(reply(200, token)).has_value());
}

TEST_CASE("Trustee: what no Attestation Result is", "[verifier]") {
  const stage s;
  const auto claims = result_about(honest_annotation);
  auto without_profile = claims;
  without_profile.erase("eat_profile");
  auto without_submodules = claims;
  without_submodules.erase("submods");
  const json header{{"alg", "ES256"}, {"typ", "JWT"}};
  const auto honest = signed_by_somebody(claims);
  for (const auto& body :
       {std::string(), std::string("<html>"), std::string("a.b.c"), std::string("eyJ"),
        std::string("ey.ey.ey"), std::string("{}"), claims.dump(), honest + ".x",
        honest.substr(0, honest.rfind('.')), "\"" + honest + "\"",
        segment(header) + "." + segment(json::array()) + ".AAAA",
        signed_by_somebody(without_profile), signed_by_somebody(without_submodules),
        signed_by_somebody(result_about(nullptr)), signed_by_somebody(result_about("x")),
        signed_by_somebody(result_about({{"snp", json::object()}})),
        signed_by_somebody(result_about({{"report_data", 5}}))}) {
    INFO(body);
    const auto step = s.resume(reply(200, body));
    REQUIRE_FALSE(step.has_value());
    CHECK(step.error().code == errc::verifier_protocol);
    CHECK_FALSE(step.error().detail.empty());
  }
}

TEST_CASE("Trustee: the keys of its key set", "[verifier]") {
  stage s;
  CHECK(s.dialect.discovery().target == "/site/.well-known/jwks.json");
  const auto first = new_jws_key("P-256");
  const auto second = new_jws_key("P-384");
  auto for_encryption = to_jwk(new_jws_key("P-256"));
  for_encryption["use"] = "enc";
  auto for_signatures = to_jwk(second);
  for_signatures["use"] = "sig";
  const json set{
      to_jwk(first), {{"kty", "oct"}, {"k", "AAAA"}}, "x", for_encryption, for_signatures};
  const auto found = s.dialect.discovered(key_set({{"keys", set}}, "max-age=60")).value();
  CHECK(found.readiness.has_value());
  CHECK(found.max_age == 60s);
  REQUIRE(found.keys->size() == 2);
  CHECK(EVP_PKEY_eq(found.keys->at(0)->key.get(), first.key.get()) == 1);
  CHECK(EVP_PKEY_eq(found.keys->at(1)->key.get(), second.key.get()) == 1);
  CHECK_FALSE(s.dialect.discovered(key_set({{"keys", set}}))->max_age.has_value());
}

TEST_CASE("Trustee: without a key it is not at work", "[verifier]") {
  stage s;
  auto for_encryption = to_jwk(new_jws_key("P-256"));
  for_encryption["use"] = "enc";
  for (const auto& [set, word] : {std::pair(json::array(), "there is none"),
                                  {json::array({json{{"kty", "oct"}}}), "oct"},
                                  {json::array({for_encryption}), "sig"},
                                  {json::array({nullptr}), "object"}}) {
    INFO(set.dump());
    const auto found = s.dialect.discovered(key_set({{"keys", set}})).value();
    REQUIRE_FALSE(found.keys.has_value());
    CHECK(found.keys.error().code == errc::verifier_protocol);
    CHECK_THAT(found.keys.error().detail, Catch::Contains(word));
    REQUIRE_FALSE(found.readiness.has_value());
    CHECK(found.readiness.error().code == errc::verifier_unavailable);
  }
}

TEST_CASE("Trustee: what no key set is", "[verifier]") {
  stage s;
  const json many(17, to_jwk(new_jws_key("P-256")));
  for (const auto& [answer, reason] :
       {std::pair(reply(200, "<html>"), errc::verifier_protocol),
        {reply(200, "[]"), errc::verifier_protocol},
        {reply(200, "1"), errc::verifier_protocol},
        {reply(200, "{}"), errc::verifier_protocol},
        {reply(200, R"({"keys": {}})"), errc::verifier_protocol},
        {reply(200, R"({"keys": [], "keys": []})"), errc::verifier_protocol},
        {key_set({{"keys", many}}), errc::verifier_protocol},
        {reply(404, "no"), errc::verifier_rejected},
        {reply(204, ""), errc::verifier_rejected},
        {reply(500, "no"), errc::verifier_unavailable}}) {
    INFO(answer.status << " " << answer.body);
    CHECK(s.dialect.discovered(answer).error().code == reason);
  }
}

TEST_CASE("Trustee: its results name the report data, neither nonce nor key", "[verifier]") {
  const stage s;
  const auto binding = s.dialect.binding(s.scheme, fake_statement(), nonce, bytes(91, 3));
  CHECK(binding.profiles == std::vector<std::string_view>{ear::trustee_profile});
  REQUIRE(binding.submodules.size() == 1);
  CHECK(binding.submodules.front().name == "cpu0");
  CHECK_FALSE(binding.nonce.has_value());
  CHECK_FALSE(binding.leaf_spki.has_value());
  CHECK(binding.submodules.front().affirmed == std::vector<std::size_t>{2, 4});
  REQUIRE(binding.annotated.has_value());
  CHECK(binding.annotated->tee == "snp");
  CHECK(binding.annotated->report_data == report_data);
}
