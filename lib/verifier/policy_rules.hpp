// Local policy: rules over what an appraisal established (facts.hpp).
//
//   {"name": "patched firmware", "require": {"evidence.firmware_version": {"at_least": 131072}}}
//
// A rule has one verb and a condition; a condition names facts, and holds if all of them match:
//   "affirming"  7  true        the fact is this value, or the list contains it
//   ["a", "b"]                  one of these
//   {"at_least": n, "at_most": n}             numbers
//   {"includes": [...]} {"only": [...]}       lists: all of these; nothing but these
//   {"not": matcher}
//   "evidence.pcr_values": {"0": "hex", ...}  the quote is over exactly these PCRs with these
//   values
#pragma once

#include "evidence/json.hpp"

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
  /// Checked when it was read.
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
