// atls policy test: the rules of a configuration against recorded Evidence and Attestation Result.
#include "appraisal/policy/fact_table.hpp"
#include "appraisal/policy/facts.hpp"
#include "atls/commands.hpp"
#include "atls/documents.hpp"
#include "atlsd/config.hpp"
#include "core/files.hpp"
#include "formats/ear_token.hpp"

#include <iostream>
#include <set>

namespace atls {
namespace {

struct policy_test_arguments {
  std::filesystem::path config;
  std::string tunnel;
  std::filesystem::path evidence;
  std::filesystem::path result;
  std::string pki_name;
  std::optional<unsigned> age_s;
  bool shows_facts = false;
};

const config::policy_settings& policy_of(const config& whole, const std::string& tunnel) {
  if (tunnel.empty()) {
    return whole.policy;
  }
  for (const auto& one : whole.tunnels) {
    if (one.name == tunnel) {
      return one.policy;
    }
  }
  std::string names;
  for (const auto& one : whole.tunnels) {
    names += " \"" + one.name + "\"";
  }
  throw error({errc::config_invalid,
               "--tunnel " + tunnel + ": there is none of that name; there are" + names});
}

// At its present age, or at the one that is asked for.
json facts_of(const ear& claims, const policy_test_arguments& given) {
  using clock = std::chrono::system_clock;
  const auto now = given.age_s ? clock::from_time_t(claims.issued_at + *given.age_s) : clock::now();
  return ear_facts(claims, now);
}

// What rules can be about, by the names that they use.
void print_facts(const json& facts) {
  for (const auto& fact : fact_table()) {
    const bool is_shown = !std::holds_alternative<pcr_values>(fact.type) &&
                          !std::holds_alternative<fresh_value>(fact.type);
    const auto* const value = is_shown ? value_of(facts, fact.name) : nullptr;
    if (value != nullptr) {
      std::cout << "fact      " << fact.name << " = " << value->dump() << '\n';
    }
  }
}

void print(const rule_verdict& verdict) {
  constexpr const char* verbs[] = {"deny", "require", "allow"};
  const auto& rule = *verdict.rule;
  const char* const outcome = !verdict.refuses                  ? "ok        "
                              : rule.verb == policy_verb::allow ? "no match  "
                                                                : "REFUSES   ";
  std::cout << outcome << rule.place << ' ' << verbs[static_cast<int>(rule.verb)]
            << (rule.name.empty() ? "" : " \"" + rule.name + "\"");
  if (!verdict.matches) {
    std::cout << (rule.verb == policy_verb::deny ? ": no match, " : ": ") << verdict.mismatch;
  }
  std::cout << '\n';
}

// What the facts that rules are about are worth, where that is less than it seems, and what was
// taken for granted.
void print_notes(const config::policy_settings& policy, const policy_test_arguments& given) {
  const auto note = [](std::string_view name, std::string_view what) {
    std::cout << "note: " << name << ": " << what << '\n';
  };
  std::set<std::string> names;
  for (const auto& rule : policy.rules) {
    for (const auto& [name, matcher] : rule.condition.items()) {
      names.insert(name);
    }
  }
  for (const auto& name : names) {
    const auto& fact = *find_fact(name);
    if (fact.is_evasive) {
      note(name, fact.worth);
    }
  }
  if (names.contains("ear.age_s") && !given.age_s) {
    note("ear.age_s", "counted until now; --age judges the result as of another age");
  }
  if (names.contains("pki.name") && given.pki_name.empty()) {
    note("pki.name", "is empty without --pki-name");
  }
  if (policy.rules.empty()) {
    note("rules", given.tunnel.empty() ? "there are none in common; --tunnel names a tunnel with "
                                         "its own"
                                       : "there are none");
  }
  if (policy.dry_run) {
    note("dry_run", "is true: atlsd logs whom the rules would refuse, and refuses nobody");
  }
}

int run_policy_test(const policy_test_arguments& given) {
  const auto whole = config::load(given.config).value();
  const auto& policy = policy_of(whole, given.tunnel);
  const auto content = read_file(given.evidence, errc::evidence_malformed).value();
  const auto result = read_file(given.result, errc::ear_malformed).value();
  const auto claims = read_unverified_ear(as_bytes(result)).value().claims;
  const auto facts = appraisal_facts(describe_evidence(as_bytes(content)).value(),
                                     facts_of(claims, given), given.pki_name);
  if (given.shows_facts) {
    print_facts(facts);
  }
  for (const auto& verdict : judge_each(policy.rules, facts)) {
    print(verdict);
  }
  print_notes(policy, given);
  const auto judged = judge(policy.rules, facts);
  std::cout << "verdict: " << (judged ? "accepted" : "refused, " + judged.error().text()) << '\n';
  return judged ? 0 : 1;
}

}  // namespace

command add_policy_test(CLI::App& app) {
  const auto given = std::make_shared<policy_test_arguments>();
  auto* policy = app.add_subcommand("policy", "work with the policy of a configuration");
  policy->require_subcommand(1);
  auto* added = policy->add_subcommand(
      "test", "judge recorded Evidence and a recorded Attestation Result by the policy's rules");
  added->add_option("--config", given->config, "configuration of atlsd")->required();
  added->add_option("--tunnel", given->tunnel, "by this tunnel's rules (default: the common ones)");
  added->add_option("--evidence", given->evidence, "Evidence, in its CMW or without")->required();
  added->add_option("--ear", given->result, "Attestation Result (JWT, CWT or its claims)")
      ->required();
  added->add_option("--pki-name", given->pki_name, "the name that PKI vouched for");
  added->add_flag("--facts", given->shows_facts, "print what rules can be about, too");
  added->add_option("--age", given->age_s, "age in seconds to judge the result at (default: now)");
  return {added, [given] { return run_policy_test(*given); }};
}

}  // namespace atls
