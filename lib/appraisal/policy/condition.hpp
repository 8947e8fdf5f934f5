// The condition of a policy rule (policy_rules.hpp): reading it, and whether it holds.
#pragma once

#include "formats/json.hpp"
#include "formats/tpm_structures.hpp"

#include <optional>

namespace atls {

/// Whom a condition is to find: `wanted` peers (require, allow) or `unwanted` ones (deny).
enum class condition_sense { wanted, unwanted };

/// What is demanded besides of the peers that a condition is about.
struct condition_scope {
  pcr_selection required_pcrs;
  /// The names, one of which the certificate is for; nullopt where that differs.
  std::optional<std::vector<std::string>> pki_names;
};

/// The condition as judging relies on it: every fact known, every value one that the fact can be,
/// byte strings in lower case. A problem is added for whatever is not so, for a matcher that
/// matches nothing or everything, and for one that a peer steps around by showing something else.
json read_condition(const json& condition, condition_sense sense, const condition_scope& scope,
                    const std::string& place, std::vector<std::string>& problems);

/// Whether a fact matches. Both as read_condition and facts.hpp make them.
bool matches(const json& found, const json& matcher);

/// The first fact of a condition that does not match, in words; empty if all do. What this kind of
/// peer has no fact of cannot be told: it does not match whom a condition wants, and it does match
/// whom it does not want.
std::string find_mismatch(const json& condition, condition_sense sense, const json& facts);

}  // namespace atls
