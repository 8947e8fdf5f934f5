// What an Azure confidential VM asks its instance metadata service about its hardware's report.
//
//   GET /metadata/THIM/amd/certification, Metadata: true
//     -> {"vcekCert": PEM, "certificateChain": PEM of ASK and ARK, ...}
//   POST /acc/tdquote {"report": base64url of the TDREPORT} -> {"quote": base64url}
#pragma once

#include "formats/http_message.hpp"
#include "schemes/azure_vtpm/hcl_report.hpp"

namespace atls {

/// Asks for what endorses this report.
http_request endorsement_request(const hcl_report& report);

/// What the answer gives, as azure_vtpm_message::endorsement has it. azure_metadata: another
/// status or form.
result<bytes> endorsement_from(azure_hardware hardware, const http_reply& answer);

}  // namespace atls
