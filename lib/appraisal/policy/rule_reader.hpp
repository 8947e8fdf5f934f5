// Reading the rules of a policy that demands other things too.
#pragma once

#include "appraisal/policy/condition.hpp"
#include "appraisal/policy/policy_rules.hpp"

namespace atls {

/// As parse_rules; a rule that no peer can match whom the scope admits is a problem as well.
std::vector<policy_rule> read_rules(const json& rules, const condition_scope& scope,
                                    const std::string& place, std::vector<std::string>& problems);

}  // namespace atls
