// Rules over the facts of real structures: each operator, each verb, each mistake.
#include "appraisal/policy/policy_rules.hpp"

#include "appraisal/policy/rule_reader.hpp"
#include "support/appraised_facts.hpp"

#include <algorithm>
#include <limits>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

std::vector<policy_rule> read(const std::string& text) {
  std::vector<std::string> problems;
  auto out = parse_rules(parse_json(text, errc::internal).value(), "policy.rules", problems);
  CAPTURE(problems);
  REQUIRE(problems.empty());
  return out;
}

bool holds(const std::string& condition) {
  const auto rules = read(R"([{"require": )" + condition + "}]");
  return judge(rules, appraised_facts()).has_value();
}

std::string problem(const std::string& rules, const condition_scope& scope = {}) {
  std::vector<std::string> problems;
  read_rules(parse_json(rules, errc::internal).value(), scope, "policy.rules", problems);
  return problems.empty() ? "" : problems.front();
}

}  // namespace

TEST_CASE("every fact and operator of a condition", "[verifier]") {
  const auto expected = GENERATE(table<const char*, bool>({
      {R"({"ear.status": "affirming"})", true},
      {R"({"ear.status": ["warning", "none"]})", false},
      {R"({"ear.status": ["warning", "affirming"]})", true},
      {R"({"ear.status": {"not": "affirming"}})", false},
      {R"({"ear.status": {"not": ["warning", "none"]}})", true},
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
      {R"({"evidence.firmware_version": {"at_least": 538513443, "at_most": 538513443}})", true},
      {R"({"evidence.firmware_version": {"at_least": 538513444, "at_most": 538513999}})", false},
      {R"({"evidence.firmware_version": {"not": {"at_least": 538513444}}})", true},
      {R"({"evidence.reset_count": 7, "evidence.restart_count": [2, 3]})", true},
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
      {R"({"pki.name": "orders.test"})", false},
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
                     {"name": "old", "deny": {"evidence.reset_count": {"at_least": 7}}}])"),
                            appraised_facts());
  REQUIRE_FALSE(denied.has_value());
  CHECK(denied.error().code == errc::policy_denied);
  CHECK(denied.error().detail == "policy.rules[1] \"old\"");

  const auto lacking =
      judge(read(R"([{"require": {"ear.vector.executables": 2}}])"), appraised_facts());
  REQUIRE_FALSE(lacking.has_value());
  CHECK(lacking.error().code == errc::policy_requirement);
  CHECK(lacking.error().detail == "policy.rules[0]: ear.vector.executables is 3, expected 2");

  CHECK(judge(read(R"([{"allow": {"pki.name": "a"}}, {"allow": {"pki.name": "orders.example"}}])"),
              appraised_facts())
            .has_value());
  const auto not_allowed = judge(read(R"([{"allow": {"pki.name": "a"}}])"), appraised_facts());
  REQUIRE_FALSE(not_allowed.has_value());
  CHECK(not_allowed.error().code == errc::policy_not_allowed);
  CHECK(judge({}, appraised_facts()).has_value());
}

TEST_CASE("hexadecimal of either case is the same", "[verifier]") {
  auto kid = appraised_facts()["evidence"]["kid"].get<std::string>();
  CHECK(holds(json{{"evidence.kid", kid}}.dump()));
  std::ranges::transform(kid, kid.begin(), [](unsigned char c) { return std::toupper(c); });
  CHECK(holds(json{{"evidence.kid", kid}}.dump()));
  CHECK(holds(json{{"evidence.kid", {std::string("01") + std::string(64, 'F'), kid}}}.dump()));
  CHECK_FALSE(
      judge(read(json{{{"deny", {{"evidence.kid", kid}}}}}.dump()), appraised_facts()).has_value());
}

TEST_CASE("\"only\" proves nothing of an empty list", "[verifier]") {
  const auto rules = read(R"([{"require": {"ear.policy_ids": {"only": ["strict"]}}}])");
  auto found = appraised_facts();
  found["ear"]["policy_ids"] = {"strict"};
  CHECK(judge(rules, found).has_value());
  found["ear"]["policy_ids"] = json::array();
  REQUIRE_FALSE(judge(rules, found).has_value());
  CHECK(judge(rules, found).error().code == errc::policy_requirement);
}

TEST_CASE("numbers are compared up to their ends", "[verifier]") {
  auto found = appraised_facts();
  found["evidence"]["firmware_version"] = std::numeric_limits<std::uint64_t>::max();
  const auto patched = R"([{"require": {"evidence.firmware_version":
                             {"at_least": 9223372036854775808, "at_most": 9223372036854775809}}}])";
  CHECK_FALSE(judge(read(patched), found).has_value());
  found["evidence"]["firmware_version"] = std::uint64_t{1} << 63;
  CHECK(judge(read(patched), found).has_value());
  found["ear"]["vector"]["hardware"] = -128;
  CHECK_FALSE(
      judge(read(R"([{"deny": {"ear.vector.hardware": {"at_most": -1}}}])"), found).has_value());
}

TEST_CASE("a mistake in a rule names its place and what was expected", "[verifier]") {
  using Catch::Contains;
  const auto expected = GENERATE(table<const char*, const char*>({
      {R"({})", "policy.rules: found object, expected an array of rules"},
      {R"([7])", "policy.rules[0]: found 7, expected an object"},
      {R"([{"name": "x"}])", "found 0 verbs, expected one of"},
      {R"([{"deny": {"ear.build": "a"}, "allow": {"ear.build": "a"}}])", "found 2 verbs"},
      {R"([{"deny": {}}])", "policy.rules[0].deny: found {}, expected an object of facts"},
      {R"([{"deny": {"ear.state": "none"}}])", "did you mean \"ear.status\"?"},
      {R"([{"deny": {"ear.status": 2}}])",
       "found 2, expected one of \"none\", \"affirming\", \"warning\", \"contraindicated\", an "
       "array of alternatives or an object such as {\"not\": ...}"},
      {R"([{"deny": {"ear.developer": 2}}])", "found 2, expected text"},
      {R"([{"deny": {"ear.vector.hardware": "2"}}])", "expected a whole number"},
      {R"([{"deny": {"ear.vector.hardware": 2.5}}])", "expected a whole number"},
      {R"([{"deny": {"ear.status": []}}])", "found [], expected a list, each one of"},
      {R"([{"deny": {"ear.developer": ["a", 1]}}])",
       "[\"ear.developer\"][1]: found 1, expected text"},
      {R"([{"deny": {"ear.status": {"at_least": 1}}}])", "expected not"},
      {R"([{"deny": {"ear.age_s": {"at_least": "1"}}}])", "expected a whole number"},
      {R"([{"deny": {"ear.age_s": {"includes": [1]}}}])", "expected at_least, at_most or not"},
      {R"([{"deny": {"evidence.pcrs": {"at_least": 1}}}])", "expected includes, only or not"},
      {R"([{"deny": {"ear.status": {"not": {"not": "none"}}}}])",
       ".not: holds another \"not\"; leave both out"},
      {R"([{"forbid": {"pki.name": "a"}}])", "policy.rules[0].forbid: is not known"},
  }));
  CHECK_THAT(problem(std::get<0>(expected)), Contains(std::get<1>(expected)));
}

TEST_CASE("a rule that tells no peers apart, or that a peer can step around, is a mistake",
          "[verifier]") {
  using Catch::Contains;
  const std::string digits(64, 'a');
  const auto expected = GENERATE_COPY(table<std::string, std::string>({
      // A value that the fact can never be.
      {R"([{"deny": {"evidence.bank": "sha257"}}])",
       "found \"sha257\", expected one of \"sha256\", \"sha384\", \"sha512\", an array of "
       "alternatives or an object such as {\"not\": ...}; did you mean \"sha256\"?"},
      {R"([{"deny": {"evidence.bank": {"not": "SHA256"}}}])", "expected one of \"sha256\""},
      {R"([{"deny": {"evidence.key.attributes": "fixedtpm"}}])", "did you mean \"fixedTPM\"?"},
      {R"([{"require": {"evidence.key.attributes": {"not": "Decrypt"}}}])",
       "did you mean \"decrypt\"?"},
      {R"([{"deny": {"evidence.key.curve": "p256"}}])", "expected one of \"P-256\", \"P-384\""},
      {R"([{"deny": {"evidence.type": "parsec"}}])", "key-attestation.tpm\""},
      {R"([{"deny": {"ear.status": "affirmed"}}])", "did you mean \"affirming\"?"},
      {R"([{"deny": {"ear.profile": "veraison"}}])", "expected one of \"tag:github.com,2023"},
      {R"([{"deny": {"evidence.kid": "01ab"}}])",
       "found \"01ab\", expected 34, 50 or 66 hexadecimal digits that begin with 01"},
      {R"([{"deny": {"evidence.kid": "02)" + digits + "\"}}]", "that begin with 01"},
      {R"([{"deny": {"evidence.kid": ["01)" + digits + "\", \"0x\"]}}]", "[1]: found \"0x\""},
      {R"([{"require": {"evidence.pcr_digest": "aa"}}])", "expected 64, 96 or 128 hexadecimal"},
      {R"([{"require": {"evidence.key.spki_sha256": "aa"}}])", "expected 64 hexadecimal digits,"},
      {R"([{"deny": {"evidence.pcrs": 24}}])", "found 24, expected a whole number from 0 to 23"},
      {R"([{"deny": {"ear.vector.hardware": 128}}])", "a whole number from -128 to 127"},
      {R"([{"deny": {"ear.vector.hardware": {"at_most": -129}}}])", "found -129"},
      {R"([{"require": {"evidence.reset_count": {"at_most": 4294967296}}}])",
       "found 4294967296, expected a whole number from 0 to 4294967295"},
      {R"([{"require": {"evidence.firmware_version": 18446744073709551616}}])", "a whole number"},
      {R"([{"deny": {"ear.age_s": -1}}])", "found -1, expected a whole number from 0"},
      {R"([{"deny": {"evidence.binder": "aa"}}])", "is another in every handshake"},
      // Nothing, or everything, matches.
      {R"([{"deny": {"ear.age_s": {"at_least": 9, "at_most": 8}}}])",
       R"([0].deny["ear.age_s"]: found {"at_least":9,"at_most":8}, which nothing can match)"},
      {R"([{"deny": {"ear.vector.hardware": {"at_least": 3, "at_most": 9,
                                             "not": {"at_least": 2, "at_most": 10}}}}])",
       "which nothing can match"},
      {R"([{"deny": {"ear.status": {"not": ["none", "affirming", "warning", "contraindicated"]}}}])",
       "which nothing can match"},
      {R"([{"require": {"evidence.pcrs": {"includes": [0, 8], "only": [0, 1]}}}])",
       "which nothing can match"},
      {R"([{"deny": {"ear.policy_ids": {"includes": ["a", "b"], "not": "a"}}}])",
       "which nothing can match"},
      {R"([{"require": {"ear.age_s": {"at_least": 0}}}])", "which everything matches"},
      {R"([{"require": {"evidence.key.curve": ["P-256", "P-384"]}}])", "which everything matches"},
      {R"([{"require": {"ear.vector.hardware": {"not": {"at_least": 5, "at_most": 4}}}}])",
       "which everything matches"},
      {R"([{"require": {"ear.policy_ids": {"not": {"includes": ["a"], "only": ["b"]}}}}])",
       "\"includes\" with what must be there"},
      // Another value, which is no better, would pass.
      {R"([{"deny": {"evidence.pcr_values": {"0": ")" + digits + "\"}}}]",
       "lets every other value pass, so that a peer can step around it (Compared with the digest; "
       "one PCR or one measurement more gives another); expected \"require\" or \"allow\" with the "
       "good values"},
      {R"([{"deny": {"evidence.pcr_digest": ")" + digits + "\"}}]", "every other value"},
      {R"([{"require": {"evidence.pcr_digest": {"not": ")" + digits + "\"}}}]",
       "every other value"},
      {R"([{"deny": {"evidence.key.spki_sha256": ")" + digits + "\"}}]", "every other value"},
      {R"([{"deny": {"pki.name": "a.example"}}])", "every other value"},
      {R"([{"deny": {"evidence.firmware_version": {"at_most": 131072}}}])",
       "lets more than a thousandth of all numbers pass, so that a peer can step around it (Signed "
       "by the peer's "
       "TPM; with an attestation key outside the endorsement hierarchy (an identity of version 1) "
       "it is a random number"},
      {R"([{"require": {"evidence.firmware_version": {"at_least": 131072}}}])",
       "expected \"require\" or \"allow\" with bounds, such as {\"at_least\": 1, \"at_most\": 9}"},
      {R"([{"deny": {"evidence.reset_count": 7}}])", "a thousandth of all numbers"},
      {R"([{"allow": {"evidence.restart_count": {"not": {"at_most": 3}}}}])",
       "a thousandth of all numbers"},
      {R"([{"require": {"evidence.reset_count": {"not": 4294967295}}}])", "a thousandth"},
      {R"([{"require": {"evidence.reset_count": {"at_least": 10, "at_most": 5000000}}}])",
       "a thousandth of all numbers"},
      {R"([{"deny": {"evidence.reset_count": [1, 2, 3]}}])", "a thousandth of all numbers"},
      {R"([{"require": {"evidence.clock_ms": {"at_least": 1000}}}])", "can set it forward"},
      {R"([{"deny": {"evidence.pcrs": {"only": [0, 1]}}}])",
       ".only: is asked for the opposite, and any other value in the list would do; expected "
       "\"includes\" with what must be there"},
      {R"([{"require": {"evidence.pcrs": {"not": {"only": [0, 1]}}}}])",
       "\"includes\" with what must be there"},
      // Values of PCRs.
      {R"([{"require": {"evidence.pcr_values": {"24": ")" + digits + "\"}}}]",
       "found PCR \"24\", expected 0 to 23"},
      {R"([{"require": {"evidence.pcr_values": {"07": ")" + digits + "\"}}}]",
       "found PCR \"07\", expected 0 to 23"},
      {R"([{"require": {"evidence.pcr_values": {"2": ")" + digits + digits + "\"}}}]",
       "\", expected 64 hexadecimal digits"},
      {R"([{"require": {"evidence.pcr_values": []}}])", "expected an object of PCR numbers"},
  }));
  CAPTURE(std::get<0>(expected));
  CHECK_THAT(problem(std::get<0>(expected)), Contains(std::get<1>(expected)));
}

TEST_CASE("a rule that no admitted peer can match is a mistake", "[verifier]") {
  using Catch::Contains;
  const std::string digits(64, 'a');
  const condition_scope scope{{tpm_hash::sha384, 1u << 0 | 1u << 7 | 1u << 16},
                              std::vector<std::string>{"a.example", "b.example"}};
  const auto values = R"([{"require": {"evidence.pcr_values": {"0": ")" + digits;
  CHECK_THAT(problem(values + "\"}}}]", scope), Contains("expected 96 hexadecimal digits"));
  CHECK_THAT(problem(values + std::string(32, 'a') + "\"}}}]", scope),
             Contains("lacks values of sha384:7, which every quote must cover"));
  CHECK_THAT(problem(R"([{"allow": {"pki.name": ["c.example", "d.example"]}}])", scope),
             Contains(R"(found ["c.example","d.example"], which none of the names in "peer")"));
  CHECK(problem(R"([{"allow": {"pki.name": ["c.example", "b.example"]}}])", scope) == "");
}

TEST_CASE("rules that say what may pass are no mistakes", "[verifier]") {
  const std::string digits(64, 'a');
  const auto rule = GENERATE_COPY(values<std::string>({
      R"({"deny": {"evidence.kid": "01)" + digits + "\"}}",
      R"({"deny": {"evidence.pcr_digest": {"not": [")" + digits + "\"]}}}",
      R"({"require": {"evidence.pcr_values": {"0": ")" + digits + "\"}}}",
      R"({"deny": {"evidence.reset_count": {"at_least": 11}}})",
      R"({"deny": {"evidence.firmware_version": {"not": {"at_least": 5, "at_most": 8}}}})",
      R"({"require": {"evidence.clock_ms": {"at_most": 3600000}}})",
      R"({"require": {"evidence.reset_count": {"at_least": 10, "at_most": 4000000}}})",
      R"({"allow": {"evidence.firmware_version": 18446744073709551615}})",
      R"({"require": {"evidence.pcrs": {"includes": [14], "not": 23}}})",
      R"({"require": {"evidence.type": "application/vnd.parallaxsecond.key-attestation.tpm"}})",
      R"({"deny": {"ear.policy_ids": "lax"}})",
      R"({"require": {"ear.submodule": "PARSEC_TPM", "ear.build": {"not": ""}}})",
  }));
  CAPTURE(rule);
  CHECK(problem("[" + rule + "]") == "");
}

TEST_CASE("a rule about a fact that a peer does not have refuses whom it cannot tell",
          "[verifier]") {
  auto other = appraised_facts();
  other["evidence"] = {{"type", "application/vnd.example.other"}};
  const auto judged = [&](const char* rules) {
    const auto outcome = judge(read(rules), other);
    return outcome ? errc::ok : outcome.error().code;
  };
  CHECK(judged(R"([{"require": {"evidence.key.curve": "P-256"}}])") == errc::policy_requirement);
  CHECK(judged(R"([{"deny": {"evidence.key.curve": "P-256"}}])") == errc::policy_denied);
  CHECK(judged(R"([{"allow": {"evidence.key.curve": "P-256"}}])") == errc::policy_not_allowed);
  CHECK(judged(R"([{"deny": {"evidence.type": "application/vnd.parallaxsecond.key-attestation.tpm",
                             "evidence.key.curve": "P-256"}}])") == errc::ok);
  const std::string values = R"({"evidence.pcr_values": {"0": ")" + std::string(64, '0') + "\"}}";
  CHECK_FALSE(judge(read("[{\"require\": " + values + "}]"), other).has_value());
}
