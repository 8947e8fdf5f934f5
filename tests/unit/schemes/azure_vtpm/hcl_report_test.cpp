#include "schemes/azure_vtpm/hcl_report.hpp"

#include "core/certificates.hpp"
#include "schemes/sev_snp/certificate_table.hpp"
#include "support/azure_evidence.hpp"
#include "support/cvm_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

// Evidence as others send it.
json published(const std::string& name) {
  return json::parse(read_vector("azure/" + name));
}

bytes part(const json& of, const char* name) {
  return from_any_base64(of.at(name).get<std::string>()).value();
}

const json& good_document() {
  static const auto out = azure_runtime_data(vector_key("azure/keys/ak.key.pem").get());
  return out;
}

bytes report_of(const std::string& runtime_data) {
  return encode_hcl(azure_hardware::snp, bytes(1184), as_bytes(runtime_data));
}

std::string problem(bytes_view report) {
  const auto read = parse_hcl_report(report);
  if (!read) {
    CHECK(read.error().code == errc::evidence_malformed);
  }
  return read ? "" : read.error().detail;
}

}  // namespace

TEST_CASE("HCL reports of real machines are read, and are what their hardware signed", "[azure]") {
  for (const auto* name : {"real-az-snp-v1.json", "real-az-snp-v2.json"}) {
    CAPTURE(name);
    const auto message = published(name);
    const auto report = parse_hcl_report(part(message, "hcl_report")).value();
    CHECK(report.hardware == azure_hardware::snp);
    CHECK(report.secure_boot);
    CHECK(report.console_enabled);
    CHECK(report.vm_id.size() == 36);
    snp_certificates certificates;
    certificates.vcek = certificate_from_der(part(message, "vcek"));
    const auto evidence = tsm_report{.provider = "sev_guest",
                                     .outblob = report.hardware_report,
                                     .auxblob = encode_certificate_table(certificates)}
                              .encode();
    CHECK(sev_snp_scheme({}).check(evidence, {report.binder(), {}}).has_value());
  }
  const auto message = published("real-az-tdx-v1.json");
  const auto report = parse_hcl_report(part(message, "hcl_report")).value();
  CHECK(report.hardware == azure_hardware::tdx);
  CHECK(tdx_scheme({})
            .check(tdx_evidence_of(part(message, "td_quote")), {report.binder(), {}})
            .has_value());
}

TEST_CASE("an HCL report without padding is read", "[azure]") {
  CHECK(problem(read_binary_vector("azure/hcl-report-snp-good.bin")).empty());
}

TEST_CASE("an HCL report of another form is refused", "[azure]") {
  const std::tuple<const char*, std::size_t, std::uint8_t, const char*> changes[] = {
      {"nothing", 20, 0, ""},
      {"its mark", 0, 'h', "does not begin"},
      {"version 0", 4, 0, "version 0, expected 1 to 2"},
      {"version 3", 4, 3, "version 3, expected 1 to 2"},
      {"runtime data of version 2", 1220, 2, "runtime data of version 2, expected 1"},
      {"SGX", 1224, 3, "report type 3"},
      {"SHA-384", 1228, 2, "hash 2, expected 1"},
      {"a size beyond", 1234, 1, "sizes do not fit"},
      {"a size that is not the other", 1216, 0, "sizes do not fit"},
      {"something after the end", 2599, 1, "after its end"},
  };
  const auto good = report_of(good_document().dump());
  for (const auto& [what, at, value, says] : changes) {
    CAPTURE(what);
    auto report = good;
    report[at] = value;
    const auto found = problem(report);
    CHECK_THAT(found, Catch::Contains(says));
    CHECK(found.empty() == std::string_view(says).empty());
  }
  for (const auto size : {0U, 31U, 1235U, 1240U}) {
    CAPTURE(size);
    CHECK_FALSE(problem(bytes_view(good).first(size)).empty());
  }
}

TEST_CASE("runtime data must name one key and the machine", "[azure]") {
  const auto changed = [](const std::function<void(json&)>& change) {
    auto document = good_document();
    change(document);
    return problem(report_of(document.dump()));
  };
  using Catch::Contains;
  CHECK(changed([](json&) {}).empty());
  CHECK_THAT(changed([](json& of) { of["keys"].push_back(of["keys"][0]); }), Contains("two keys"));
  CHECK_THAT(changed([](json& of) { of["keys"][0]["kid"] = "HCLEkPub"; }), Contains("no RSA key"));
  CHECK_THAT(changed([](json& of) { of["keys"][0]["kty"] = "EC"; }), Contains("no RSA key"));
  CHECK_THAT(changed([](json& of) { of["keys"] = 1; }), Contains("no RSA key"));
  CHECK_THAT(changed([](json& of) { of["keys"][0]["n"] = "AQAB"; }), Contains("2048 bits"));
  for (const auto* name : {"vmUniqueId", "secure-boot", "console-enabled"}) {
    CHECK_THAT(changed([&](json& of) { of["vm-configuration"].erase(name); }), Contains(name));
    CHECK_THAT(changed([&](json& of) { of["vm-configuration"][name] = 1; }), Contains(name));
  }
  CHECK_THAT(changed([](json& of) { of.erase("vm-configuration"); }), Contains("vmUniqueId"));
  CHECK_THAT(changed([](json& of) { of = json::array(); }), Contains("no JSON object"));
  CHECK_FALSE(problem(report_of("{")).empty());
  CHECK_FALSE(problem(report_of(R"({"keys": [], "keys": []})")).empty());
}
