#include "dialects/veraison/provisioning_exchange.hpp"

#include "dialects/veraison/endorsement_provisioning.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;
namespace api = atls::endorsement_provisioning;

namespace {

const bytes endorsements{0xd9, 1, 2};

provisioning_exchange open() {
  return {url::parse("https://verifier.example:9443/site").value(), "application/rim+cbor",
          endorsements};
}

http_reply reply(unsigned status, std::string body, std::string location = "") {
  return {.status = status, .location = std::move(location), .body = std::move(body)};
}

http_reply problem(unsigned status, std::string detail) {
  return {.status = status,
          .content_type = "application/problem+json",
          .body = json{{"detail", std::move(detail)}}.dump()};
}

const std::string processing = R"({"status": "processing"})";
const std::string success = R"({"status": "success"})";

}  // namespace

TEST_CASE("a CoRIM is posted, and its session polled", "[verifier]") {
  auto exchange = open();
  const auto first = exchange.begin();
  CHECK(first.method == "POST");
  CHECK(first.target == "/site/endorsement-provisioning/v1/submit");
  CHECK(first.accept == api::session_type);
  CHECK(first.content_type == "application/rim+cbor");
  CHECK(first.body == endorsements);
  // The session is where the first answer says.
  for (const auto* location : {"session/7", "", "session/8"}) {
    const auto poll =
        std::get<next_request>(exchange.resume(reply(201, processing, location)).value());
    CHECK(poll.request.method == "GET");
    CHECK(poll.request.target == "/site/endorsement-provisioning/v1/session/7");
    CHECK(poll.request.accept == api::session_type);
    CHECK(poll.request.body.empty());
    CHECK(poll.after == 250ms);
  }
  CHECK(std::get<provisioning_outcome>(exchange.resume(reply(200, success)).value()) ==
        provisioning_outcome::accepted);
}

TEST_CASE("a CoRIM that is known already is no failure", "[verifier]") {
  const auto known = R"({"status": "failed", "failure-reason": "token already in store"})";
  CHECK(std::get<provisioning_outcome>(open().resume(reply(200, known)).value()) ==
        provisioning_outcome::duplicate);
}

TEST_CASE("why a CoRIM is not taken", "[verifier]") {
  const auto refused = errc::provisioning_refused;
  for (const auto& [answer, reason, words] :
       {std::tuple(reply(200, R"({"status": "failed", "failure-reason": "invalid profile"})"),
                   refused, "invalid profile"),
        {problem(401, "wrong password"), refused, "status 401: wrong password; is the Auth"},
        {problem(403, ""), refused, "status 403; is the Authorization"},
        {reply(404, "404 page not found"), refused, "status 404; is this the provisioning"},
        {reply(405, ""), refused, "provisioning service?"},
        {problem(415, "no plugin"), refused, "status 415: no plugin; is it of another release"},
        {problem(400, "empty body"), refused, "status 400: empty body"},
        {reply(303, "", "session/7"), refused, "status 303"},
        {problem(500, "no connection"), errc::verifier_unavailable, "status 500: no connection"},
        {reply(200, "<html>"), errc::verifier_protocol, ""},
        {reply(200, R"({"status": "complete"})"), errc::verifier_protocol, "\"complete\""},
        {reply(201, processing), errc::verifier_protocol, "no Location"},
        {reply(201, processing, "//elsewhere/7"), errc::verifier_protocol, "origin"}}) {
    INFO(answer.status << " " << answer.body);
    const auto step = open().resume(answer);
    REQUIRE_FALSE(step.has_value());
    CHECK(step.error().code == reason);
    CHECK_THAT(step.error().detail, Catch::Contains(words));
  }
}
