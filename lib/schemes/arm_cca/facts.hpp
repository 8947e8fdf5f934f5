// The facts of CCA tokens.
#pragma once

#include "formats/json.hpp"
#include "schemes/arm_cca/token.hpp"
#include "schemes/fact.hpp"

#include <span>

namespace atls {

/// {"type", "tee", "report_data", "key": {"resident"}, "cca": {...}}; byte strings in hexadecimal.
json facts_of(const cca_token& token);

/// What each of them is (without "type").
std::span<const fact> arm_cca_facts();

}  // namespace atls
