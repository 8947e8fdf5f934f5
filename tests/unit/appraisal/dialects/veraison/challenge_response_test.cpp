#include "dialects/veraison/challenge_response.hpp"

#include <catch2/catch.hpp>

using namespace atls;
namespace api = atls::challenge_response;

TEST_CASE("session documents", "[evidence]") {
  const auto waiting = api::parse_session(
      R"({"status":"waiting","nonce":"LS4t5ztJJzUz0y5MWiYQkS1NDW1YvglhBGPwc_-PMSg",
          "expiry":"x","accept":["a/b","c/d"]})");
  REQUIRE(waiting.has_value());
  CHECK(waiting->nonce.size() == 32);
  CHECK(waiting->accept.size() == 2);
  const auto std_nonce = api::parse_session(
      R"({"status":"complete","nonce":"LS4t5ztJJzUz0y5MWiYQkS1NDW1YvglhBGPwc/+PMSg=",
          "accept":[],"result":"t"})");
  CHECK(std_nonce->nonce == waiting->nonce);
  for (const auto* bad :
       {"", "[]", "{}", R"({"status":"done","nonce":"AAAA","accept":[]})",
        R"({"status":"waiting","nonce":"A","accept":[]})", R"({"status":"waiting","nonce":"AAAA"})",
        R"({"status":"complete","nonce":"AAAA","accept":[]})", "<html>"}) {
    INFO(bad);
    CHECK(api::parse_session(bad).error().code == errc::verifier_protocol);
  }
}

TEST_CASE("a session is asked for in a spelling that every version reads", "[evidence]") {
  CHECK(api::new_session_target("/v/challenge-response/v1/newSession",
                                bytes{0xfb, 0xff, 0xfe, 0x01}) ==
        "/v/challenge-response/v1/newSession?nonce=-__-AQ%3D%3D");
}

TEST_CASE("a refusal says what its problem document says", "[evidence]") {
  const auto detail = [](const char* type, const char* body) {
    return api::problem_detail({.status = 400, .content_type = type, .body = body});
  };
  CHECK(detail("application/problem+json", R"({"title": "t", "detail": "no"})") == "no");
  CHECK(detail("application/problem+json; charset=utf-8", R"({"detail": "no"})") == "no");
  for (const auto* none : {"", "[]", "{}", R"({"detail": 1})", "<html>"}) {
    CHECK(detail("application/problem+json", none).empty());
  }
  CHECK(detail("text/html", R"({"detail": "no"})").empty());
}
