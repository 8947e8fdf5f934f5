// What a matcher of a rule's condition tells of the peers that it is asked about.
#pragma once

#include "appraisal/policy/condition.hpp"
#include "appraisal/policy/fact_table.hpp"

namespace atls {

enum class matcher_reach { nothing, something, everything };

/// How much of what the fact can be matches. The matcher is as read_condition makes it.
matcher_reach reach_of(const fact& of, const json& matcher);

/// Whether a rule of this sense lets pass what it does not spell out: another value, or more than a
/// thousandth of all numbers (a random one is then soon found).
bool lets_others_pass(const fact& of, const json& matcher, condition_sense sense);

}  // namespace atls
