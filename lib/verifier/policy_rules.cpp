#include "verifier/policy_rules.hpp"

#include "core/text.hpp"
#include "evidence/ear.hpp"
#include "evidence/tpm_structures.hpp"

#include <algorithm>
#include <array>

namespace atls {
namespace {

enum class fact_kind { text, number, texts, numbers, pcr_values };

struct fact {
  std::string name;
  fact_kind kind;
};

constexpr std::string_view pcr_values_fact = "evidence.pcr_values";

const std::vector<fact>& known_facts() {
  static const std::vector<fact> all = [] {
    using enum fact_kind;
    std::vector<fact> out = {{"evidence.type", text},
                             {"evidence.kid", text},
                             {"evidence.bank", text},
                             {"evidence.pcrs", numbers},
                             {"evidence.pcr_digest", text},
                             {std::string(pcr_values_fact), pcr_values},
                             {"evidence.firmware_version", number},
                             {"evidence.clock_ms", number},
                             {"evidence.reset_count", number},
                             {"evidence.restart_count", number},
                             {"evidence.key.curve", text},
                             {"evidence.key.attributes", texts},
                             {"evidence.key.auth_policy", text},
                             {"evidence.key.spki_sha256", text},
                             {"ear.profile", text},
                             {"ear.developer", text},
                             {"ear.build", text},
                             {"ear.age_s", number},
                             {"ear.status", text},
                             {"ear.policy_ids", texts},
                             {"pki.name", text}};
    for (const auto claim : trust_claims) {
      out.push_back({"ear.vector." + std::string(claim), number});
    }
    return out;
  }();
  return all;
}

const fact* find_fact(const std::string& name) {
  const auto found = std::ranges::find(known_facts(), name, &fact::name);
  return found != known_facts().end() ? &*found : nullptr;
}

bool is_list(fact_kind kind) {
  return kind == fact_kind::texts || kind == fact_kind::numbers;
}

bool is_value_for(fact_kind kind, const json& value) {
  return kind == fact_kind::text || kind == fact_kind::texts ? value.is_string()
                                                             : value.is_number_integer();
}

const char* describe_value(fact_kind kind) {
  return kind == fact_kind::text || kind == fact_kind::texts ? "text" : "a whole number";
}

// Reading: everything that judging relies on is checked here, once.
class condition_reader {
 public:
  explicit condition_reader(std::vector<std::string>& problems) : problems_(problems) {}

  void check(const json& condition, const std::string& place) {
    if (!condition.is_object() || condition.empty()) {
      problem(place, "found " + condition.dump() + ", expected an object of facts");
      return;
    }
    for (const auto& [name, matcher] : condition.items()) {
      const auto* const known = find_fact(name);
      const auto here = place + "[\"" + name + "\"]";
      if (known == nullptr) {
        problem(here, "is not a known fact; did you mean \"" + nearest_fact(name) + "\"?");
      } else if (known->kind == fact_kind::pcr_values) {
        check_pcr_values(matcher, here);
      } else {
        check_matcher(known->kind, matcher, here);
      }
    }
  }

 private:
  void problem(const std::string& place, const std::string& what) {
    problems_.push_back(place + ": " + what);
  }

  static std::string nearest_fact(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& one : known_facts()) {
      names.push_back(one.name);
    }
    return nearest(name, names);
  }

  void check_matcher(fact_kind kind, const json& matcher, const std::string& place) {
    if (matcher.is_array()) {
      check_values(kind, matcher, place);
    } else if (matcher.is_object() && !matcher.empty()) {
      for (const auto& [key, value] : matcher.items()) {
        check_operator(kind, key, value, place + "." + key);
      }
    } else if (!is_value_for(kind, matcher)) {
      problem(place, "found " + matcher.dump() + ", expected " + describe_value(kind) +
                         ", an array of alternatives or an object such as {\"not\": ...}");
    }
  }

  void check_values(fact_kind kind, const json& values, const std::string& place) {
    if (!values.is_array() || values.empty()) {
      problem(place, "found " + values.dump() + ", expected a list of " + describe_value(kind));
      return;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!is_value_for(kind, values[i])) {
        problem(place + "[" + std::to_string(i) + "]",
                "found " + values[i].dump() + ", expected " + describe_value(kind));
      }
    }
  }

  void check_operator(fact_kind kind, const std::string& key, const json& value,
                      const std::string& place) {
    if (key == "not") {
      check_matcher(kind, value, place);
    } else if (kind == fact_kind::number && (key == "at_least" || key == "at_most")) {
      if (!value.is_number_integer()) {
        problem(place, "found " + value.dump() + ", expected a whole number");
      }
    } else if (is_list(kind) && (key == "includes" || key == "only")) {
      check_values(kind, value, place);
    } else {
      problem(place, std::string("is not known for this fact; expected ") +
                         (kind == fact_kind::number ? "at_least, at_most or not"
                          : is_list(kind)           ? "includes, only or not"
                                                    : "not"));
    }
  }

  void check_pcr_values(const json& values, const std::string& place) {
    if (!values.is_object() || values.empty()) {
      problem(place, "found " + values.dump() + ", expected an object of PCR numbers and values");
      return;
    }
    for (const auto& [pcr, value] : values.items()) {
      constexpr std::uint64_t last_pcr = 23;
      if (!parse_number(pcr, last_pcr)) {
        problem(place, "found PCR \"" + pcr + "\", expected 0 to 23");
      }
      if (!value.is_string() || !from_hex(value.get<std::string>())) {
        problem(place + "." + pcr, "found " + value.dump() + ", expected hexadecimal");
      }
    }
  }

  std::vector<std::string>& problems_;
};

// Judging.
bool matches_value(const json& found, const json& wanted) {
  return found.is_array() ? std::ranges::find(found, wanted) != found.end() : found == wanted;
}

bool matches(const json& found, const json& matcher) {
  const auto is_wanted = [&](const json& wanted) { return matches_value(found, wanted); };
  if (matcher.is_array()) {
    return std::ranges::any_of(matcher, is_wanted);
  }
  if (!matcher.is_object()) {
    return is_wanted(matcher);
  }
  for (const auto& [key, value] : matcher.items()) {
    const auto& listed = value;
    const bool holds = key == "not"        ? !matches(found, value)
                       : key == "at_least" ? found >= value
                       : key == "at_most"  ? found <= value
                       : key == "includes"
                           ? std::ranges::all_of(value, is_wanted)
                           : std::ranges::all_of(found, [&](const json& one) {
                               return std::ranges::find(listed, one) != listed.end();
                             });
    if (!holds) {
      return false;
    }
  }
  return true;
}

// Whether the quote is over exactly these PCRs with these values.
bool matches_pcr_values(const json& evidence, const json& wanted) {
  std::map<unsigned, bytes> values;
  for (const auto& [pcr, value] : wanted.items()) {
    values[static_cast<unsigned>(std::stoul(pcr))] = from_hex(value.get<std::string>()).value();
  }
  std::vector<bytes> ascending;
  json numbers = json::array();
  for (const auto& [pcr, value] : values) {
    numbers.push_back(pcr);
    ascending.push_back(value);
  }
  const auto bank = hash_from_name(evidence["bank"].get<std::string>());
  return bank && numbers == evidence["pcrs"] &&
         json(to_hex(pcr_digest(*bank, ascending))) == evidence["pcr_digest"];
}

const json& value_of(const json& facts, const std::string& name) {
  const json* at = &facts;
  for (const auto part : split(name, '.')) {
    at = &at->at(std::string(part));
  }
  return *at;
}

// The first fact of a condition that does not match, in words; empty if all do.
std::string find_mismatch(const json& condition, const json& facts) {
  for (const auto& [name, matcher] : condition.items()) {
    if (name == pcr_values_fact) {
      const auto& evidence = facts.at("evidence");
      if (!matches_pcr_values(evidence, matcher)) {
        return "the quote over PCRs " + evidence["pcrs"].dump() + " has the digest " +
               evidence["pcr_digest"].get<std::string>() + ", which these values do not give";
      }
    } else if (const auto& found = value_of(facts, name); !matches(found, matcher)) {
      return name + " is " + found.dump() + ", expected " + matcher.dump();
    }
  }
  return {};
}

}  // namespace

std::vector<policy_rule> parse_rules(const json& rules, const std::string& place,
                                     std::vector<std::string>& problems) {
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
        read.condition = value;
        condition_reader(problems).check(value, here + "." + key);
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

std::vector<rule_verdict> judge_each(const std::vector<policy_rule>& rules, const json& facts) {
  std::vector<rule_verdict> out;
  for (const auto& rule : rules) {
    rule_verdict verdict{.rule = &rule, .mismatch = find_mismatch(rule.condition, facts)};
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
