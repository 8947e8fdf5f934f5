// What an appraisal established, as a document that policies and operators read. What each fact
// means stands in fact_table.hpp.
#pragma once

#include "formats/ear.hpp"

#include <chrono>

namespace atls {

/// {"profile", "developer", "build", "age_s", "submodule", "status", "vector": {name: number},
///  "policy_ids": [text]}. Of several submodules: their names, the worst status, of each entry the
/// worst value, the policies of all.
json ear_facts(const ear& claims, std::chrono::system_clock::time_point now);

/// {"evidence", "ear", "pki": {"name"}}: what policy rules are about. `evidence` is
/// statement::facts; of a passport, null.
json appraisal_facts(json evidence, json ear, const std::string& pki_name);

/// The fact of that name ("evidence.key.curve") in such a document; null where this kind of peer
/// has no such fact.
const json* value_of(const json& facts, std::string_view name);

}  // namespace atls
