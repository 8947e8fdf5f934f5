#include "schemes/tsm_providers.hpp"

#include "core/certificates.hpp"
#include "support/cvm_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

std::vector<x509_ptr> certificates(const std::vector<const char*>& names) {
  std::string text;
  for (const auto* name : names) {
    text += read_vector(std::string("snp/") + name);
  }
  return certificates_from_pem(text);
}

tsm_report snp_report(bytes by_host) {
  return {.provider = "sev_guest",
          .outblob = read_binary_vector("snp/report-good.bin"),
          .auxblob = std::move(by_host)};
}

}  // namespace

TEST_CASE("reports of each provider make its Evidence", "[attester]") {
  const std::pair<const char*, const char*> reports[] = {
      {"sev_guest", "snp/report-good.bin"},
      {"tdx_guest", "tdx/quote-v4-good.bin"},
      {"arm_cca_guest", "cca/token-907-good.cbor"}};
  for (const auto& [name, file] : reports) {
    CAPTURE(name);
    const auto* const provider = find_tsm_provider(name);
    REQUIRE(provider != nullptr);
    const auto evidence = provider->evidence_of(
        {.provider = name, .outblob = read_binary_vector(file), .auxblob = {}},
        certificates({"vcek.pem", "ask.pem", "ark.pem"}));
    const auto folder = std::string(file).substr(0, std::string(file).find('/'));
    const auto binder = read_binary_vector(folder + "/binder.bin");
    CHECK(provider->scheme->check(evidence.value(), {binder, {}}).has_value());
  }
  CHECK(find_tsm_provider("") == nullptr);
  CHECK(find_tsm_provider("sev_guest2") == nullptr);
}

TEST_CASE("the host's certificates go before the operator's", "[attester]") {
  const auto* const provider = find_tsm_provider("sev_guest");
  const auto by_host = read_binary_vector("snp/auxblob-vcek-pem.bin");
  const auto made = provider->evidence_of(snp_report(by_host), certificates({"vlek.pem"})).value();
  CHECK(made == snp_report(by_host).encode());
  CHECK(
      provider->evidence_of(snp_report({}), certificates({"vcek.pem", "vcek.pem"})).error().code ==
      errc::certificate_invalid);
}
