// Evidence from the kernel's configfs-tsm (formats/tsm_report.hpp), a media type for each provider:
// who takes the reports of one takes none of another.
#pragma once

#include "formats/tsm_report.hpp"

namespace atls {

/// The report, which must be this provider's, made without a service between guest and hardware:
/// under an SVSM the report data is another hash than what was asked for. evidence_malformed.
result<tsm_report> parse_tsm_evidence(bytes_view evidence, std::string_view provider);

}  // namespace atls
