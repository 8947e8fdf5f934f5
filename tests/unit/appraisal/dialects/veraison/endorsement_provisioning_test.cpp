#include "dialects/veraison/endorsement_provisioning.hpp"

#include "schemes/parsec_tpm/endorsements.hpp"

#include <catch2/catch.hpp>

using namespace atls;
namespace api = atls::endorsement_provisioning;

TEST_CASE("the session of a submission says what became of it", "[evidence]") {
  const auto success = api::parse_session(R"({"status": "success", "expiry": "x"})").value();
  CHECK(success.status == api::session_status::success);
  CHECK(api::parse_session(R"({"status": "processing"})")->status ==
        api::session_status::processing);
  const auto refused =
      api::parse_session(R"({"status": "failed", "failure-reason": "invalid profile"})").value();
  CHECK(refused.status == api::session_status::failed);
  CHECK(refused.failure_reason == "invalid profile");
  CHECK_FALSE(refused.is_duplicate());
  CHECK(api::parse_session(R"({"status": "failed", "failure-reason": "token already in store"})")
            ->is_duplicate());
  CHECK_FALSE(success.is_duplicate());
  for (const auto* bad : {"", "[]", "{}", R"({"status": "complete"})", R"({"status": 1})"}) {
    INFO(bad);
    CHECK(api::parse_session(bad).error().code == errc::verifier_protocol);
  }
}

TEST_CASE("endorsements are submitted as Veraison compares it, byte for byte", "[evidence]") {
  CHECK(api::media_type(default_corim_form, parsec_tpm_endorsements::profile) ==
        "application/rim+cbor; profile=\"tag:github.com/parallaxsecond,2023-03-03:tpm\"");
  CHECK(api::media_type(corim_forms.back(), "p") ==
        "application/corim-unsigned+cbor; profile=\"p\"");
}
