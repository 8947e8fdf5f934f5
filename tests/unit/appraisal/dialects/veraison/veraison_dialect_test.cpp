#include "dialects/veraison/veraison_dialect.hpp"

#include "dialects/veraison/challenge_response.hpp"
#include "formats/ear.hpp"
#include "support/jws_keys.hpp"
#include "unit/appraisal/dialects/fake_scheme.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using namespace std::chrono_literals;
namespace api = atls::challenge_response;

namespace {

const bytes nonce(32, 0x5a);

std::string session(const std::string& status, const bytes& of = nonce) {
  json out{{"status", status}, {"nonce", to_base64(of)}, {"accept", {"a/b", "application/x"}}};
  if (status == "complete") {
    out["result"] = "a.b.c";
  }
  return out.dump();
}

http_reply reply(unsigned status, std::string body, std::string location = "") {
  return {.status = status, .location = std::move(location), .body = std::move(body)};
}

http_reply problem(unsigned status, std::string detail) {
  return {.status = status,
          .content_type = "application/problem+json; charset=utf-8",
          .body = json{{"detail", std::move(detail)}}.dump()};
}

const http_reply created = reply(201, session("waiting"), "session/7");

struct stage {
  veraison_dialect dialect{url::parse("https://verifier.example:8443/site").value()};
  fake_scheme scheme;

  std::unique_ptr<appraisal_exchange> open() const {
    return dialect.open(scheme, fake_statement(), nonce).value();
  }
  // After the new session.
  std::unique_ptr<appraisal_exchange> submitted() const {
    auto out = open();
    out->begin();
    REQUIRE(out->resume(created).has_value());
    return out;
  }
};

failure refusal(appraisal_exchange& of, const http_reply& answer) {
  const auto step = of.resume(answer);
  REQUIRE_FALSE(step.has_value());
  return step.error();
}

http_reply document(const json& says, std::string cache_control = "") {
  return {.status = 200, .cache_control = std::move(cache_control), .body = says.dump()};
}

}  // namespace

TEST_CASE("Veraison: a session for the nonce, the Evidence, polls, the result", "[verifier]") {
  const stage s;
  const auto exchange = s.open();
  const auto first = exchange->begin();
  CHECK(first.method == "POST");
  CHECK(first.target ==
        "/site/challenge-response/v1/newSession?nonce=" + to_base64url(nonce) + "%3D");
  CHECK(first.accept == api::session_type);
  CHECK(first.content_type.empty());
  CHECK(first.body.empty());
  CHECK_FALSE(exchange->has_sent_evidence());

  const auto second = std::get<next_request>(exchange->resume(created).value());
  CHECK(second.request.method == "POST");
  CHECK(second.request.target == "/site/challenge-response/v1/session/7");
  CHECK(second.request.accept == api::session_type);
  CHECK(second.request.content_type == "application/x");
  CHECK(second.request.body == fake_statement().evidence);
  CHECK(second.after == 0ms);
  CHECK(exchange->has_sent_evidence());

  for (const auto* status : {"processing", "waiting"}) {
    const auto poll = std::get<next_request>(exchange->resume(reply(202, session(status))).value());
    CHECK(poll.request.method == "GET");
    CHECK(poll.request.target == second.request.target);
    CHECK(poll.request.accept == api::session_type);
    CHECK(poll.request.content_type.empty());
    CHECK(poll.request.body.empty());
    CHECK(poll.after == 250ms);
  }
  CHECK(std::get<std::string>(exchange->resume(reply(200, session("complete"))).value()) ==
        "a.b.c");
  CHECK(exchange->has_sent_evidence());
}

TEST_CASE("Veraison: what no new session is", "[verifier]") {
  const stage s;
  const auto location = "http://verifier.example:8443/x";
  for (const auto& [answer, reason, word] :
       {std::tuple(reply(200, session("waiting"), "session/7"), errc::verifier_rejected,
                   "new session: status 200"),
        {problem(400, "nonce must be valid base64"), errc::verifier_rejected,
         "status 400 nonce must be valid base64"},
        {reply(302, "", "session/7"), errc::verifier_rejected, "status 302"},
        {problem(503, "later"), errc::verifier_unavailable, "status 503 later"},
        {reply(201, "<html>", "session/7"), errc::verifier_protocol, ""},
        {reply(201, "{}", "session/7"), errc::verifier_protocol, "lacks a status"},
        {reply(201, session("waiting", bytes(32, 1)), "session/7"), errc::verifier_nonce,
         "the new session is for 0101"},
        {reply(201, session("waiting", bytes(31, 0x5a)), "session/7"), errc::verifier_nonce, ""},
        {reply(201, session("waiting")), errc::verifier_protocol, "no Location"},
        {reply(201, session("waiting"), location), errc::verifier_protocol,
         "the new session's Location: "},
        {reply(201, session("waiting"), "//elsewhere/7"), errc::verifier_protocol, "origin"},
        {reply(201, session("waiting"), "session/7\r\nx: y"), errc::verifier_protocol,
         "strange"}}) {
    INFO(answer.status << " " << answer.body << " " << answer.location);
    const auto exchange = s.open();
    exchange->begin();
    const auto why = refusal(*exchange, answer);
    CHECK(why.code == reason);
    CHECK_THAT(why.detail, Catch::Contains(word));
    CHECK_FALSE(exchange->has_sent_evidence());
  }
}

TEST_CASE("Veraison: a type that the session does not list is not sent", "[verifier]") {
  const stage s;
  auto evidence = fake_statement();
  evidence.media_type = "application/y";
  const auto exchange = s.dialect.open(s.scheme, evidence, nonce).value();
  exchange->begin();
  const auto why = refusal(*exchange, created);
  CHECK(why.code == errc::verifier_evidence_type);
  CHECK(why.detail == "application/y");
  CHECK_FALSE(exchange->has_sent_evidence());
}

TEST_CASE("Veraison: what no answer to Evidence is", "[verifier]") {
  const stage s;
  for (const auto& [answer, reason, word] :
       {std::tuple(reply(201, session("complete")), errc::verifier_rejected, "status 201"),
        {problem(400, "no scheme"), errc::verifier_rejected, "Evidence: status 400 no scheme"},
        {reply(404, "<html>"), errc::verifier_rejected, "status 404"},
        {problem(500, "internal"), errc::verifier_unavailable, "status 500 internal"},
        {reply(200, session("failed")), errc::verifier_rejected, "the session failed"},
        {reply(200, ""), errc::verifier_protocol, ""},
        {reply(200, "{}"), errc::verifier_protocol, ""},
        {reply(200, session("done")), errc::verifier_protocol, ""},
        {reply(200, session("complete", bytes(32, 1))), errc::verifier_nonce,
         "the answer is for 0101"},
        {reply(202, session("processing", bytes(32, 1))), errc::verifier_nonce, ""}}) {
    INFO(answer.status << " " << answer.body);
    const auto exchange = s.submitted();
    const auto why = refusal(*exchange, answer);
    CHECK(why.code == reason);
    CHECK_THAT(why.detail, Catch::Contains(word));
    CHECK(exchange->has_sent_evidence());
  }
  // The answer to a poll is looked at as closely.
  const auto exchange = s.submitted();
  REQUIRE(exchange->resume(reply(202, session("processing"))).has_value());
  CHECK(refusal(*exchange, reply(200, session("complete", {}))).code == errc::verifier_nonce);
}

TEST_CASE("Veraison: an exchange needs nothing of what it was made from", "[verifier]") {
  auto s = std::make_unique<stage>();
  auto exchange = s->open();
  s.reset();
  CHECK(exchange->begin().target.starts_with("/site/"));
  const auto step = exchange->resume(created).value();
  CHECK(std::get<next_request>(step).request.body == fake_statement().evidence);
}

TEST_CASE("Veraison: what the discovery document says", "[verifier]") {
  stage s;
  CHECK(s.dialect.discovery().target == "/site/.well-known/veraison/verification");
  CHECK(s.dialect.discovery().accept == api::discovery_type);
  const auto key = new_jws_key("P-256");
  const json whole{{"service-state", "READY"},
                   {"ear-verification-key", to_jwk(key)},
                   {"api-endpoints", {{"newChallengeResponseSession", "/other/newSession"}}}};
  const auto found = s.dialect.discovered(document(whole, "max-age=7")).value();
  CHECK(found.readiness.has_value());
  CHECK(found.max_age == 7s);
  REQUIRE(found.keys->size() == 1);
  CHECK(EVP_PKEY_eq(found.keys->front()->key.get(), key.key.get()) == 1);
  CHECK(s.open()->begin().target.starts_with("/site/other/newSession?nonce="));

  // A document without a path changes none.
  auto without_path = whole;
  without_path.erase("api-endpoints");
  CHECK_FALSE(s.dialect.discovered(document(without_path))->max_age.has_value());
  CHECK(s.open()->begin().target.starts_with("/site/other/newSession?nonce="));
}

TEST_CASE("Veraison: a document without a key teaches nothing", "[verifier]") {
  stage s;
  const json endpoints{{"newChallengeResponseSession", "/other/newSession"}};
  for (const auto& key : {json(), json("x"), json::object(), json{{"kty", "oct"}}}) {
    json says{{"service-state", "READY"}, {"api-endpoints", endpoints}};
    if (!key.is_null()) {
      says["ear-verification-key"] = key;
    }
    INFO(says.dump());
    const auto found = s.dialect.discovered(document(says)).value();
    CHECK(found.readiness.has_value());
    REQUIRE_FALSE(found.keys.has_value());
    CHECK(found.keys.error().code == errc::verifier_protocol);
    CHECK_THAT(found.keys.error().detail, Catch::Contains("ear-verification-key"));
    CHECK(s.open()->begin().target.starts_with("/site/challenge-response/v1/newSession"));
  }
}

TEST_CASE("Veraison: a Verifier that is not at work says so", "[verifier]") {
  stage s;
  for (const auto& [says, found] : {std::pair(json{{"service-state", "DOWN"}}, "\"DOWN\""),
                                    {json::object(), "\"\""},
                                    {json{{"service-state", 1}}, "\"\""}}) {
    const auto readiness = s.dialect.discovered(document(says))->readiness;
    REQUIRE_FALSE(readiness.has_value());
    CHECK(readiness.error().code == errc::verifier_unavailable);
    CHECK(readiness.error().detail ==
          "its service-state is " + std::string(found) + ", expected \"READY\"");
  }
}

TEST_CASE("Veraison: what no discovery document is", "[verifier]") {
  stage s;
  const auto with_path = [](const char* path) {
    return document({{"api-endpoints", {{"newChallengeResponseSession", path}}}});
  };
  for (const auto& [answer, reason] : {std::pair(reply(200, "<html>"), errc::verifier_protocol),
                                       {reply(200, "[]"), errc::verifier_protocol},
                                       {with_path("relative"), errc::verifier_protocol},
                                       {with_path("//elsewhere/x"), errc::verifier_protocol},
                                       {with_path("/a b"), errc::verifier_protocol},
                                       {with_path("/a\r\nb"), errc::verifier_protocol},
                                       {reply(404, "{}"), errc::verifier_rejected},
                                       {reply(204, ""), errc::verifier_rejected},
                                       {reply(502, ""), errc::verifier_unavailable}}) {
    INFO(answer.status << " " << answer.body);
    CHECK(s.dialect.discovered(answer).error().code == reason);
  }
  CHECK(s.open()->begin().target.starts_with("/site/challenge-response/v1/newSession"));
}

TEST_CASE("Veraison: its results name scheme, nonce and key", "[verifier]") {
  stage s;
  const bytes key(91, 3);
  auto binding = s.dialect.binding(s.scheme, fake_statement(), nonce, key);
  CHECK(binding.profiles == std::vector<std::string_view>{ear::veraison_profile, ear::ietf_profile,
                                                          ear::ietf_profile_04});
  REQUIRE(binding.submodules.size() == 1);
  CHECK(binding.submodules.front().name == "FAKE");
  CHECK(binding.nonce == nonce);
  CHECK(binding.leaf_spki == key);
  CHECK(binding.submodules.front().affirmed == std::vector<std::size_t>{2, 4});
  CHECK_FALSE(binding.annotated.has_value());
  s.scheme.looks.names_key = false;
  CHECK_FALSE(s.dialect.binding(s.scheme, fake_statement(), nonce, key).leaf_spki.has_value());
}
