#include "schemes/azure_vtpm/metadata.hpp"

#include "formats/json.hpp"
#include "support/azure_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

std::string outcome(azure_hardware hardware, unsigned status, const std::string& body) {
  const auto read = endorsement_from(hardware, {.status = status, .body = body});
  if (!read) {
    CHECK(read.error().code == errc::azure_metadata);
    return read.error().detail;
  }
  return std::string(as_text(*read));
}

}  // namespace

TEST_CASE("Azure's metadata service is asked for what endorses the hardware", "[azure]") {
  hcl_report report;
  report.hardware_report = bytes(1024, 0xfb);
  const auto of_snp = endorsement_request(report);
  CHECK(of_snp.method == "GET");
  CHECK(of_snp.target == "/metadata/THIM/amd/certification");
  CHECK(of_snp.fields.at(0) == std::pair<std::string, std::string>("Metadata", "true"));
  report.hardware = azure_hardware::tdx;
  const auto of_tdx = endorsement_request(report);
  CHECK(of_tdx.method == "POST");
  CHECK(of_tdx.target == "/acc/tdquote");
  CHECK(json::parse(of_tdx.body) == json{{"report", to_base64url(report.hardware_report)}});
}

TEST_CASE("what Azure's metadata service says is read", "[azure]") {
  using enum azure_hardware;
  using Catch::Contains;
  CHECK(outcome(snp, 200, R"({"vcekCert": "a", "certificateChain": "b", "tcbm": "1"})") == "a\nb");
  CHECK_THAT(outcome(snp, 200, R"({"vcekCert": "a"})"), Contains("certificateChain"));
  CHECK_THAT(outcome(snp, 200, R"({"vcekCert": 1, "certificateChain": "b"})"),
             Contains("vcekCert"));
  CHECK(outcome(tdx, 200, R"({"quote": "cXVv-w"})") == "quo\xfb");
  CHECK_THAT(outcome(tdx, 200, R"({"quote": ""})"), Contains("quote"));
  CHECK_THAT(outcome(tdx, 200, R"({"quote": "?"})"), Contains("quote"));
  CHECK_THAT(outcome(tdx, 200, "[]"), Contains("no object"));
  CHECK_THAT(outcome(tdx, 503, R"({"quote": "cXVv"})"), Contains("status 503"));
  CHECK_FALSE(outcome(tdx, 200, "{").empty());
}
