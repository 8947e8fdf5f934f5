#include "dialects/trustee/kbs_dialect.hpp"

#include "formats/ear.hpp"
#include "support/jws_keys.hpp"
#include "unit/appraisal/dialects/fake_scheme.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

const std::string report_data = "5a5a";

struct stage {
  kbs_dialect dialect{url::parse("https://kbs.example/site").value()};
  jws_key leaf = new_jws_key("P-256");
  fake_scheme scheme;

  stage() {
    scheme.verifier = verifier_type::trustee;
    scheme.tee = {json{{"quote", "q"}}, report_data};
  }
  std::unique_ptr<verifier_challenge> challenge() const {
    auto out = dialect.challenge(scheme, spki_of(leaf.key.get()).value()).value();
    out->begin();
    return out;
  }
};

http_reply nonce_reply(const json& body = {{"nonce", "AAECAw=="}, {"extra-params", ""}},
                       std::string cookie = "kbs-session-id=ab12; Path=/kbs/v0; HttpOnly") {
  return {.status = 200, .body = body.dump(), .set_cookie = std::move(cookie)};
}

json body_of(const http_request& request) {
  return parse_json(as_text(request.body), errc::internal).value();
}

std::string token_about(const std::string& data) {
  static const auto key = new_jws_key("P-256");
  const json claims{{"eat_profile", ear::trustee_profile},
                    {"iat", 1'800'000'000},
                    {"ear.verifier-id", {{"build", "b"}, {"developer", "d"}}},
                    {"submods",
                     {{"cpu0",
                       {{"ear.status", "affirming"},
                        {"ear.veraison.annotated-evidence",
                         {{"report_data", data}, {"snp", json::object()}}}}}}}};
  return sign_jws(claims.dump(), key);
}

}  // namespace

TEST_CASE("KBS: its nonce and the leaf key are what Evidence is bound to", "[verifier]") {
  const stage s;
  const auto leaf = spki_of(s.leaf.key.get()).value();
  const auto challenge = s.dialect.challenge(s.scheme, leaf).value();
  const auto asked = challenge->begin();
  CHECK(asked.method == "POST");
  CHECK(asked.target == "/site/kbs/v0/auth");
  CHECK(asked.content_type == "application/json");
  CHECK(asked.cookie.empty());
  CHECK(body_of(asked) == json{{"version", "0.4.0"}, {"tee", "snp"}, {"extra-params", ""}});

  REQUIRE(challenge->resume(nonce_reply()).has_value());
  const json jwk = to_jwk(s.leaf);
  const auto canonical =
      R"({"additional-evidence":"","nonce":"AAECAw==","tee-pubkey":{"alg":"ES256",)"
      R"("crv":"P-256","kty":"EC","x":")" +
      jwk["x"].get<std::string>() + R"(","y":")" + jwk["y"].get<std::string>() + "\"}}";
  CHECK(challenge->nonce() == digest("SHA384", as_bytes(canonical)));

  const auto exchange = challenge->open(s.scheme, fake_statement()).value();
  const auto request = exchange->begin();
  CHECK(request.target == "/site/kbs/v0/attest");
  CHECK(request.cookie == "kbs-session-id=ab12");
  CHECK(body_of(request) ==
        json{{"runtime-data", {{"nonce", "AAECAw=="}, {"tee-pubkey", jwk}}},
             {"tee-evidence",
              {{"primary_evidence", s.scheme.tee.evidence}, {"additional_evidence", ""}}}});
  CHECK(exchange->has_sent_evidence());

  const auto token = token_about(report_data);
  const auto step = exchange->resume({.status = 200, .body = json{{"token", token}}.dump()});
  CHECK(std::get<std::string>(step.value()) == token);

  const auto binding = s.dialect.binding(s.scheme, fake_statement(), {}, leaf);
  CHECK(binding.leaf_spki == leaf);
  CHECK(binding.submodules.at(0).name == "cpu0");
  CHECK(binding.profiles == std::vector<std::string_view>{ear::trustee_profile});
  CHECK(binding.annotated->report_data == report_data);
}

TEST_CASE("KBS: an answer without nonce or session is none", "[verifier]") {
  const stage s;
  const auto refused = [&](const http_reply& answer) {
    const auto step = s.challenge()->resume(answer);
    return step ? "ok" : reason(step.error().code);
  };
  CHECK(refused(nonce_reply()) == "ok");
  for (const json& body : {json(), json::array({"nonce"}), json{{"nonce", 1}}, json{{"nonce", ""}},
                           json{{"nonce", "AAEC Aw=="}}, json{{"nonce", "AAECAw"}},
                           json{{"nonce", std::string(260, 'A')}}, json{{"other", "AAECAw=="}}}) {
    INFO(body.dump());
    CHECK(refused(nonce_reply(body)) == "verifier_protocol");
  }
  for (const char* cookie :
       {"", "kbs-session-id", "kbs-session-id=", "other=ab12", "kbs-session-id=a b",
        "kbs-session-id=a\r\nHost: b", "kbs-session-id=a,b"}) {
    INFO(cookie);
    CHECK(refused(nonce_reply({{"nonce", "AAECAw=="}}, cookie)) == "verifier_protocol");
  }
  CHECK(refused(nonce_reply({{"nonce", "AAECAw=="}}, "kbs-session-id=" + std::string(300, 'a'))) ==
        "verifier_protocol");
  CHECK(refused({.status = 401, .body = R"({"type": "t", "detail": "expected 0.5.0"})"}) ==
        "verifier_rejected");
  CHECK(refused({.status = 404}) == "verifier_rejected");
  CHECK(refused({.status = 503}) == "verifier_unavailable");
}

TEST_CASE("KBS: an answer about something else is refused", "[verifier]") {
  const stage s;
  const auto refused = [&](const http_reply& answer) {
    const auto challenge = s.challenge();
    challenge->resume(nonce_reply()).value();
    const auto exchange = challenge->open(s.scheme, fake_statement()).value();
    exchange->begin();
    const auto step = exchange->resume(answer);
    REQUIRE_FALSE(step.has_value());
    return step.error();
  };
  const auto said = [](const std::string& token) {
    return http_reply{.status = 200, .body = json{{"token", token}}.dump()};
  };
  CHECK(refused(said(token_about("0000"))).code == errc::verifier_nonce);
  CHECK(refused(said("no token")).code == errc::verifier_protocol);
  CHECK(refused({.status = 200, .body = "{}"}).code == errc::verifier_protocol);
  const auto why = refused({.status = 401, .body = R"({"detail": "no such session"})"});
  CHECK(why.code == errc::verifier_rejected);
  CHECK(why.detail == R"(status 401: {"detail": "no such session"})");
}

TEST_CASE("KBS: it appraises nothing that is bound to another nonce", "[verifier]") {
  const stage s;
  CHECK(s.dialect.open(s.scheme, fake_statement(), bytes(32, 1)).error().code ==
        errc::verifier_evidence_type);
  CHECK(chooses_nonce(s.dialect.type()));
  stage nameless;
  nameless.scheme.looks.tee = "";
  CHECK(
      nameless.dialect.challenge(nameless.scheme, spki_of(s.leaf.key.get()).value()).error().code ==
      errc::verifier_evidence_type);
  CHECK(s.dialect.challenge(s.scheme, bytes(3, 1)).has_error());
}

TEST_CASE("KBS: it is at work if it gives a nonce, and shows no keys", "[verifier]") {
  stage s;
  CHECK(s.dialect.discovery().target == "/site/kbs/v0/auth");
  const auto found = s.dialect.discovered(nonce_reply());
  REQUIRE(found.has_value());
  CHECK(found->readiness.has_value());
  CHECK(found->keys.error().code == errc::verifier_protocol);
  CHECK(s.dialect.discovered({.status = 500}).error().code == errc::verifier_unavailable);
}
