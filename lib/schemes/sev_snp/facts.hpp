// The facts of SEV-SNP Evidence.
#pragma once

#include "formats/json.hpp"
#include "schemes/fact.hpp"
#include "schemes/sev_snp/evidence.hpp"

#include <span>

namespace atls {

/// {"type", "tee", "report_data", "key": {"resident"}, "snp": {...}}; byte strings in hexadecimal.
json facts_of(const sev_snp_evidence& evidence);

/// What each of them is (without "type").
std::span<const fact> sev_snp_facts();

}  // namespace atls
