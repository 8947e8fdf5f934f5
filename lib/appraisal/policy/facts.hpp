// What Evidence and an Attestation Result say, as documents that policies and operators read.
//
// Pure reading: nothing is checked here beyond being well-formed. What each fact means stands in
// fact_table.hpp.
#pragma once

#include "formats/ear.hpp"

#include <chrono>

namespace atls {

/// Of PARSEC_TPM Evidence without its CMW:
/// {"type", "kid", "binder", "bank", "pcrs": [n], "pcr_digest", "firmware_version", "clock_ms",
///  "reset_count", "restart_count", "key": {"curve", "attributes": ["fixedTPM", ...],
///  "spki_sha256"}}.
/// Byte strings in hexadecimal.
result<json> evidence_facts(bytes_view evidence);

/// Of an Attestation Result with one submodule:
/// {"profile", "developer", "build", "age_s", "submodule", "status", "vector": {name: number},
///  "policy_ids": [text]}.
result<json> ear_facts(const ear& claims, std::chrono::system_clock::time_point now);

/// {"evidence", "ear", "pki": {"name"}}: what policy rules are about.
json appraisal_facts(json evidence, json ear, const std::string& pki_name);

/// The fact of that name ("evidence.key.curve") in such a document, which has it.
const json& value_of(const json& facts, std::string_view name);

}  // namespace atls
