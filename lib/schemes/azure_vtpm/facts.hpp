// The facts of an Azure confidential VM's Evidence: those of its TPM, of its hardware, and its own.
#pragma once

#include "formats/json.hpp"
#include "schemes/azure_vtpm/hcl_report.hpp"
#include "schemes/fact.hpp"

#include <span>

namespace atls {

/// `of_tpm` with "type" and "tee" of this Evidence, {"azure": {"vm_id", "secure_boot",
/// "console_enabled"}}, and what `of_hardware` says below the hardware's name ("snp", "tdx").
json facts_of(const hcl_report& report, json of_tpm, const json& of_hardware);

/// What each of them is (without "type").
std::span<const fact> azure_vtpm_facts();

}  // namespace atls
