#include "schemes/arm_cca/facts.hpp"

#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "schemes/shared_facts.hpp"

namespace atls {
namespace {

constexpr std::string_view by_realm = "Signed by the peer's realm key; one byte more gives another";
constexpr std::string_view by_platform =
    "Signed by the peer's platform, whose key the Verifier knows";

const hexadecimal any_digest{{32, 48, 64}};

std::vector<fact> realm_facts() {
  return {
      {.name = "evidence.cca.rim",
       .type = any_digest,
       .meaning = "Initial measurement of the realm",
       .worth = by_realm,
       .is_evasive = true},
      {.name = "evidence.cca.rem0",
       .type = any_digest,
       .meaning = "Extensible measurement 0 of the realm",
       .worth = by_realm,
       .is_evasive = true},
      {.name = "evidence.cca.rem1",
       .type = any_digest,
       .meaning = "Extensible measurement 1 of the realm",
       .worth = by_realm,
       .is_evasive = true},
      {.name = "evidence.cca.rem2",
       .type = any_digest,
       .meaning = "Extensible measurement 2 of the realm",
       .worth = by_realm,
       .is_evasive = true},
      {.name = "evidence.cca.rem3",
       .type = any_digest,
       .meaning = "Extensible measurement 3 of the realm",
       .worth = by_realm,
       .is_evasive = true},
      {.name = "evidence.cca.rpv",
       .type = hexadecimal{{64}},
       .meaning = "Personalization value of the realm",
       .worth = "Chosen by the peer's host at launch, signed by its realm key",
       .is_evasive = true},
  };
}

std::vector<fact> platform_facts() {
  return {
      {.name = "evidence.cca.implementation_id",
       .type = hexadecimal{{32}},
       .meaning = "The platform's implementation",
       .worth = by_platform},
      {.name = "evidence.cca.instance_id",
       .type = hexadecimal{{33}, "01"},
       .meaning = "The platform: its UEID",
       .worth = by_platform},
      {.name = "evidence.cca.lifecycle",
       .type = whole_number{0, 0xffff},
       .meaning = "State of the platform; 12288 to 12543 (0x3000 to 0x30ff) is secured",
       .worth = "Signed by the peer's platform; others are refused without "
                "policy.cca.unsafe_lifecycle"},
      {.name = "evidence.cca.components",
       .type = any_digest,
       .meaning = "Measurements of the platform's software",
       .worth = by_platform,
       .is_list = true,
       .is_evasive = true},
      {.name = "evidence.cca.config",
       .type = any_text{},
       .meaning = "Configuration of the platform, in hexadecimal",
       .worth = by_platform,
       .is_evasive = true},
  };
}

}  // namespace

json facts_of(const cca_token& token) {
  const auto& [platform, realm, platform_token, realm_token] = token;
  json cca{{"rim", to_hex(realm.initial_measurement)},
           {"rpv", to_hex(realm.personalization_value)},
           {"implementation_id", to_hex(platform.implementation_id)},
           {"instance_id", to_hex(platform.instance_id)},
           {"lifecycle", platform.lifecycle},
           {"config", to_hex(platform.config)}};
  for (const auto& one : platform.components) {
    cca["components"].push_back(to_hex(one));
  }
  for (std::size_t i = 0; i < realm.extensible_measurements.size(); ++i) {
    cca["rem" + std::to_string(i)] = to_hex(realm.extensible_measurements[i]);
  }
  return {{"type", arm_cca_scheme::type},
          {"tee", "cca"},
          {"report_data", to_hex(realm.challenge)},
          {"key", {{"resident", "none"}}},
          {"cca", std::move(cca)}};
}

std::span<const fact> arm_cca_facts() {
  static const std::vector<fact> all = [] {
    std::vector<fact> out{tee_fact(), report_data_fact(), key_resident_fact()};
    for (const auto part : {realm_facts, platform_facts}) {
      for (auto& one : part()) {
        out.push_back(std::move(one));
      }
    }
    return out;
  }();
  return all;
}

}  // namespace atls
