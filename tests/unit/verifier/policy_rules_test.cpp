// Rules over the facts of real structures: each operator, each verb, each mistake.
#include "verifier/policy_rules.hpp"

#include "evidence/parsec_tpm.hpp"
#include "support/software_tpm.hpp"
#include "verifier/facts.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

json facts() {
  static const json made = [] {
    const evidence_maker maker;
    ear claims;
    claims.profile = ear::veraison_profile;
    claims.issued_at = 1000;
    claims.developer = "somebody";
    ear_appraisal appraisal;
    appraisal.status = trust_tier::affirming;
    appraisal.vector = {2, 0, 3, 0, 2, 0, 0, 0};
    appraisal.policy_ids = {"policy:PARSEC_TPM"};
    claims.submodules.emplace(parsec_tpm_evidence::scheme, appraisal);
    return appraisal_facts(evidence_facts(maker.make().encode()).value(),
                           ear_facts(claims, std::chrono::system_clock::from_time_t(1007)).value(),
                           "orders.example");
  }();
  return made;
}

std::vector<policy_rule> read(const std::string& text) {
  std::vector<std::string> problems;
  auto out = parse_rules(parse_json(text, errc::internal).value(), "policy.rules", problems);
  CAPTURE(problems);
  REQUIRE(problems.empty());
  return out;
}

bool holds(const std::string& condition) {
  const auto rules = read(R"([{"require": )" + condition + "}]");
  return judge(rules, facts()).has_value();
}

std::string problem(const std::string& rules) {
  std::vector<std::string> problems;
  parse_rules(parse_json(rules, errc::internal).value(), "policy.rules", problems);
  return problems.empty() ? "" : problems.front();
}

}  // namespace

TEST_CASE("every fact and operator of a condition", "[verifier]") {
  const auto expected = GENERATE(table<const char*, bool>({
      {R"({"ear.status": "affirming"})", true},
      {R"({"ear.status": ["warning", "none"]})", false},
      {R"({"ear.status": ["warning", "affirming"]})", true},
      {R"({"ear.status": {"not": "affirming"}})", false},
      {R"({"ear.vector.hardware": 2})", true},
      {R"({"ear.vector.executables": [2, 3]})", true},
      {R"({"ear.vector.executables": 2})", false},
      {R"({"ear.vector.file-system": {"at_least": 2}})", false},
      {R"({"ear.age_s": {"at_least": 7, "at_most": 7}})", true},
      {R"({"ear.age_s": {"at_most": 6}})", false},
      {R"({"ear.policy_ids": "policy:PARSEC_TPM"})", true},
      {R"({"ear.policy_ids": {"includes": ["another"]}})", false},
      {R"({"ear.developer": "somebody", "ear.build": ""})", true},
      {R"({"evidence.bank": "sha256"})", true},
      {R"({"evidence.pcrs": {"includes": [0, 7]}})", true},
      {R"({"evidence.pcrs": {"includes": [0, 8]}})", false},
      {R"({"evidence.pcrs": {"only": [0, 1, 2, 3, 4, 5, 6, 7, 8]}})", true},
      {R"({"evidence.pcrs": {"only": [0, 1, 2, 3, 4, 5, 6]}})", false},
      {R"({"evidence.firmware_version": {"at_least": 538513443}})", true},
      {R"({"evidence.firmware_version": {"at_least": 538513444}})", false},
      {R"({"evidence.reset_count": 7, "evidence.restart_count": 3})", true},
      {R"({"evidence.key.curve": "P-256"})", true},
      {R"({"evidence.key.attributes": {"includes": ["fixedTPM", "sign"], "not": "decrypt"}})",
       true},
      {R"({"evidence.key.attributes": "restricted"})", false},
      {R"({"evidence.key.attributes": "userWithAuth"})", false},
      {R"({"evidence.key.auth_policy":
           "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e"})",
       true},
      {R"({"evidence.key.auth_policy": ""})", false},
      {R"({"pki.name": ["orders.example", "orders.test"]})", true},
      {R"({"pki.name": ""})", false},
  }));
  CAPTURE(std::get<0>(expected));
  CHECK(holds(std::get<0>(expected)) == std::get<1>(expected));
}

TEST_CASE("PCR values are compared through the quote's digest", "[verifier]") {
  const std::string zero(64, '0');
  json values;
  for (int pcr = 0; pcr < 8; ++pcr) {
    values[std::to_string(pcr)] = zero;
  }
  const auto condition = [&] { return json{{"evidence.pcr_values", values}}.dump(); };
  CHECK(holds(condition()));
  values["3"] = std::string(64, '1');
  CHECK_FALSE(holds(condition()));
  values["3"] = zero;
  values.erase("7");
  CHECK_FALSE(holds(condition()));
  values["7"] = zero;
  values["8"] = zero;
  CHECK_FALSE(holds(condition()));
}

TEST_CASE("each verb refuses with its own reason, and says which rule", "[verifier]") {
  const auto denied = judge(read(R"([{"require": {"ear.status": "affirming"}},
                     {"name": "old", "deny": {"evidence.reset_count": {"at_most": 7}}}])"),
                            facts());
  REQUIRE_FALSE(denied.has_value());
  CHECK(denied.error().code == errc::policy_denied);
  CHECK(denied.error().detail == "policy.rules[1] \"old\"");

  const auto lacking = judge(read(R"([{"require": {"ear.vector.executables": 2}}])"), facts());
  REQUIRE_FALSE(lacking.has_value());
  CHECK(lacking.error().code == errc::policy_requirement);
  CHECK(lacking.error().detail == "policy.rules[0]: ear.vector.executables is 3, expected 2");

  CHECK(judge(read(R"([{"allow": {"pki.name": "a"}}, {"allow": {"pki.name": "orders.example"}}])"),
              facts())
            .has_value());
  const auto not_allowed = judge(read(R"([{"allow": {"pki.name": "a"}}])"), facts());
  REQUIRE_FALSE(not_allowed.has_value());
  CHECK(not_allowed.error().code == errc::policy_not_allowed);
  CHECK(judge({}, facts()).has_value());
}

TEST_CASE("a mistake in a rule names its place and what was expected", "[verifier]") {
  using Catch::Contains;
  const auto expected = GENERATE(table<const char*, const char*>({
      {R"({})", "policy.rules: found object, expected an array of rules"},
      {R"([7])", "policy.rules[0]: found 7, expected an object"},
      {R"([{"name": "x"}])", "found 0 verbs, expected one of"},
      {R"([{"deny": {"pki.name": "a"}, "allow": {"pki.name": "a"}}])", "found 2 verbs"},
      {R"([{"deny": {}}])", "policy.rules[0].deny: found {}, expected an object of facts"},
      {R"([{"deny": {"ear.state": "none"}}])", "did you mean \"ear.status\"?"},
      {R"([{"deny": {"ear.status": 2}}])", "found 2, expected text"},
      {R"([{"deny": {"ear.vector.hardware": "2"}}])", "expected a whole number"},
      {R"([{"deny": {"ear.vector.hardware": 2.5}}])", "expected a whole number"},
      {R"([{"deny": {"ear.status": []}}])", "expected a list of text"},
      {R"([{"deny": {"ear.status": ["none", 1]}}])", "[\"ear.status\"][1]: found 1, expected text"},
      {R"([{"deny": {"ear.status": {"at_least": 1}}}])", "expected not"},
      {R"([{"deny": {"ear.age_s": {"at_least": "1"}}}])", "expected a whole number"},
      {R"([{"deny": {"ear.age_s": {"includes": [1]}}}])", "expected at_least, at_most or not"},
      {R"([{"deny": {"evidence.pcrs": {"at_least": 1}}}])", "expected includes, only or not"},
      {R"([{"deny": {"evidence.pcr_values": {"24": "00"}}}])",
       "found PCR \"24\", expected 0 to 23"},
      {R"([{"deny": {"evidence.pcr_values": {"2": "0"}}}])", "expected hexadecimal"},
      {R"([{"deny": {"evidence.pcr_values": []}}])", "expected an object of PCR numbers"},
      {R"([{"forbid": {"pki.name": "a"}}])", "policy.rules[0].forbid: is not known"},
  }));
  CHECK_THAT(problem(std::get<0>(expected)), Contains(std::get<1>(expected)));
}
