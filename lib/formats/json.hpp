// Strict JSON: what a peer or Verifier sends is read once, or refused.
#pragma once

#include "core/error.hpp"

#include <nlohmann/json.hpp>

namespace atls {

using json = nlohmann::json;

/// One value; refuses duplicate member names, nesting deeper than 32 and anything after the value.
result<json> parse_json(std::string_view text, errc error, bool allow_comments = false);

/// Integral numbers in any notation ("1.666529184e+09" too); nullopt for fractions and non-numbers.
std::optional<std::int64_t> integral(const json& value);

/// The member if the object has it and it is a string.
std::optional<std::string> string_member(const json& object, const char* name);

}  // namespace atls
