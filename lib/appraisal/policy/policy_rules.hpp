// Local policy: rules over what an appraisal established (facts.hpp).
//
//   {"name": "patched", "require": {"evidence.firmware_version": {"at_least": 5, "at_most": 8}}}
//
// A rule has one verb and a condition; of its facts (fact_table.hpp) all must match:
//   "affirming"  7              the fact is this value, or the list contains it
//   ["a", "b"]                  one of these
//   {"at_least": n, "at_most": n}             numbers
//   {"includes": [...]} {"only": [...]}       lists: all of these; something, all of it of these
//   {"not": matcher}
//   "evidence.pcr_values": {"0": "hex", ...}  the quote is over exactly these PCRs with these
//   values
#pragma once

#include "formats/json.hpp"

namespace atls {

enum class policy_verb {
  /// Whoever matches is refused.
  deny,
  /// Whoever does not match is refused.
  require,
  /// If a policy has such rules, at least one must match.
  allow
};

struct policy_rule {
  policy_verb verb = policy_verb::require;
  std::string name;
  /// Where it stands, such as "policy.rules[2]".
  std::string place;
  /// As read_condition (condition.hpp) gives it.
  json condition;
};

/// An array of rules. What is wrong is added to `problems`, each with its place, what was found and
/// what was expected.
std::vector<policy_rule> parse_rules(const json& rules, const std::string& place,
                                     std::vector<std::string>& problems);

struct rule_verdict {
  const policy_rule* rule;
  bool matches = false;
  /// By itself; an allow rule refuses only if no other one matches.
  bool refuses = false;
  /// The first fact that does not match: "evidence.kid is \"01ab\", expected ...".
  std::string mismatch;
};

/// Every rule's verdict, in order.
std::vector<rule_verdict> judge_each(const std::vector<policy_rule>& rules, const json& facts);

/// policy_denied, policy_requirement or policy_not_allowed, naming the rule.
result<void> judge(const std::vector<policy_rule>& rules, const json& facts);

}  // namespace atls
