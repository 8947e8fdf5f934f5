// All facts that policy rules are about: those of each Evidence type (schemes/), of the Attestation
// Result and of PKI.
//
// The reader of rules works from it; the schema for editors, the manual, README and what `atls
// probe` and `atls inspect` print are held to it by tests.
#pragma once

#include "schemes/fact.hpp"

namespace atls {

/// All of them, in the order in which they are described.
const std::vector<fact>& fact_table();

/// Null if there is none of that name.
const fact* find_fact(std::string_view name);

/// The fact whose name is most like it.
std::string nearest_fact(std::string_view name);

/// Whether a fact (of a list: one of its values) can be this.
bool can_be(const fact& of, const json& value);

/// What can_be accepts, in words: "a whole number from 0 to 23".
std::string describe_values(const fact& of);

}  // namespace atls
