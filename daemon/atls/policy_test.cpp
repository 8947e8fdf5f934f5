// atls policy test: the rules of a configuration against recorded Evidence and Attestation Result.
#include "atls/commands.hpp"
#include "atls/documents.hpp"
#include "atlsd/config.hpp"
#include "core/files.hpp"
#include "verifier/facts.hpp"

#include <iostream>

namespace atls {
namespace {

struct arguments {
  std::filesystem::path config;
  std::string tunnel;
  std::filesystem::path evidence;
  std::filesystem::path result;
  std::string pki_name;
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
  throw error({errc::config_invalid, "--tunnel " + tunnel + ": there is none of that name"});
}

ear read_result(const std::filesystem::path& file) {
  auto text = read_file(file, errc::ear_malformed).value();
  text = text.substr(0, text.find('\n'));
  const auto first = text.find('.');
  const auto second = text.find('.', first + 1);
  if (text.starts_with('{') || second == std::string::npos) {
    return ear::parse(text).value();
  }
  const auto payload = from_base64url(std::string_view(text).substr(first + 1, second - first - 1));
  if (!payload) {
    throw error({errc::ear_malformed, file.string() + " holds no JWT"});
  }
  return ear::parse(as_text(*payload)).value();
}

int run(const arguments& given) {
  const auto whole = config::load(given.config).value();
  const auto& policy = policy_of(whole, given.tunnel);
  const auto content = read_file(given.evidence, errc::evidence_malformed).value();
  const auto facts = appraisal_facts(
      evidence_facts(unwrap_evidence(as_bytes(content))).value(),
      ear_facts(read_result(given.result), std::chrono::system_clock::now()).value(),
      given.pki_name);
  constexpr const char* verbs[] = {"deny", "require", "allow"};
  for (const auto& verdict : judge_each(policy.rules, facts)) {
    const auto& rule = *verdict.rule;
    std::cout << (verdict.refuses ? (rule.verb == policy_verb::allow ? "no match  " : "REFUSES   ")
                                  : "ok        ")
              << rule.place << ' ' << verbs[static_cast<int>(rule.verb)]
              << (rule.name.empty() ? "" : " \"" + rule.name + "\"")
              << (verdict.mismatch.empty() ? "" : ": " + verdict.mismatch) << '\n';
  }
  const auto judged = judge(policy.rules, facts);
  std::cout << "verdict: " << (judged ? "accepted" : "refused, " + judged.error().text()) << '\n';
  return judged ? 0 : 1;
}

}  // namespace

command add_policy_test(CLI::App& app) {
  const auto given = std::make_shared<arguments>();
  auto* policy = app.add_subcommand("policy", "work with the policy of a configuration");
  policy->require_subcommand(1);
  auto* added = policy->add_subcommand(
      "test", "judge recorded Evidence and a recorded Attestation Result by the policy's rules");
  added->add_option("--config", given->config, "configuration of atlsd")->required();
  added->add_option("--tunnel", given->tunnel, "by this tunnel's rules (default: the common ones)");
  added->add_option("--evidence", given->evidence, "Evidence, in its CMW or without")->required();
  added->add_option("--ear", given->result, "Attestation Result (JWT or its claims)")->required();
  added->add_option("--pki-name", given->pki_name, "the name that PKI vouched for");
  return {added, [given] { return run(*given); }};
}

}  // namespace atls
