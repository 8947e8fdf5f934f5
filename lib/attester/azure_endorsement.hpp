// What endorses the hardware of an Azure confidential VM: certificates of AMD's, a quote of a TD.
#pragma once

#include "core/wait.hpp"
#include "formats/url.hpp"
#include "schemes/azure_vtpm/hcl_report.hpp"

#include <filesystem>

namespace atls {

/// Of the instance metadata service there. azure_metadata: it does not answer in time, or otherwise
/// than in schemes/azure_vtpm/metadata.hpp. Blocks.
result<bytes> fetch_azure_endorsement(const url& service, const hcl_report& report,
                                      steady_time deadline);

/// The file of the state directory that keeps the last one, for starts at which the service is not
/// there.
std::filesystem::path azure_endorsement_file(const std::filesystem::path& state_dir);

}  // namespace atls
