#include "appraisal/policy/policy_rules.hpp"

#include "appraisal/policy/rule_reader.hpp"

#include <algorithm>
#include <array>

namespace atls {
namespace {

condition_sense sense_of(policy_verb verb) {
  return verb == policy_verb::deny ? condition_sense::unwanted : condition_sense::wanted;
}

}  // namespace

std::vector<policy_rule> read_rules(const json& rules, const condition_scope& scope,
                                    const std::string& place, std::vector<std::string>& problems) {
  constexpr std::array verbs = {"deny", "require", "allow"};
  std::vector<policy_rule> out;
  if (!rules.is_array()) {
    problems.push_back(place + ": found " + std::string(rules.type_name()) +
                       ", expected an array of rules");
    return out;
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto here = place + "[" + std::to_string(i) + "]";
    std::size_t found = 0;
    policy_rule read;
    read.place = here;
    if (!rules[i].is_object()) {
      problems.push_back(here + ": found " + rules[i].dump() + ", expected an object");
      continue;
    }
    for (const auto& [key, value] : rules[i].items()) {
      const auto verb = std::ranges::find(verbs, key);
      if (verb != verbs.end()) {
        ++found;
        read.verb = static_cast<policy_verb>(verb - verbs.begin());
        read.condition =
            read_condition(value, sense_of(read.verb), scope, here + "." + key, problems);
      } else if (key == "name" && value.is_string()) {
        read.name = value.get<std::string>();
      } else {
        problems.push_back(here + "." + key +
                           ": is not known; expected \"deny\", \"require\" or \"allow\", and "
                           "\"name\" with a text");
      }
    }
    if (found != 1) {
      problems.push_back(here + ": found " + std::to_string(found) +
                         " verbs, expected one of \"deny\", \"require\", \"allow\"");
    }
    out.push_back(std::move(read));
  }
  return out;
}

std::vector<policy_rule> parse_rules(const json& rules, const std::string& place,
                                     std::vector<std::string>& problems) {
  return read_rules(rules, {}, place, problems);
}

std::vector<rule_verdict> judge_each(const std::vector<policy_rule>& rules, const json& facts) {
  std::vector<rule_verdict> out;
  for (const auto& rule : rules) {
    rule_verdict verdict{.rule = &rule,
                         .mismatch = find_mismatch(rule.condition, sense_of(rule.verb), facts)};
    verdict.matches = verdict.mismatch.empty();
    verdict.refuses = verdict.matches == (rule.verb == policy_verb::deny);
    out.push_back(std::move(verdict));
  }
  return out;
}

result<void> judge(const std::vector<policy_rule>& rules, const json& facts) {
  const auto title = [](const policy_rule& rule) {
    return rule.place + (rule.name.empty() ? "" : " \"" + rule.name + "\"");
  };
  bool has_allow_rules = false;
  bool is_allowed = false;
  for (const auto& verdict : judge_each(rules, facts)) {
    if (verdict.rule->verb == policy_verb::allow) {
      has_allow_rules = true;
      is_allowed = is_allowed || verdict.matches;
    } else if (verdict.refuses && verdict.rule->verb == policy_verb::deny) {
      return failure(errc::policy_denied, title(*verdict.rule));
    } else if (verdict.refuses) {
      return failure(errc::policy_requirement, title(*verdict.rule) + ": " + verdict.mismatch);
    }
  }
  if (has_allow_rules && !is_allowed) {
    return failure(errc::policy_not_allowed, "none of the allow rules matches");
  }
  return {};
}

}  // namespace atls
