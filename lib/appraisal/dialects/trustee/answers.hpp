// What Trustee's services answer, as both of its dialects read it.
#pragma once

#include "dialects/result_binding.hpp"
#include "formats/http_message.hpp"
#include "schemes/evidence_scheme.hpp"

namespace atls::trustee {

/// Where results about the machine's own TEE stand, among "submods".
inline constexpr std::string_view submodule = "cpu0";

/// "status N: ", and the beginning of what the service says, as one line of ASCII.
std::string status_and_text(const http_reply& answer);

/// Whether an Attestation Result, which nobody has verified yet, says that it is about this report
/// data. verifier_protocol if it is no such result, verifier_nonce if it is about another.
result<void> check_report_data(std::string_view token, const std::string& expected);

/// Its results name neither nonce nor TLS key: the report data, which is bound to both, stands for
/// them.
result_binding binding(const evidence_scheme& scheme, const statement& evidence);

/// Evidence as its services take it; verifier_evidence_type if they do not.
result<tee_evidence> to_tee_evidence(const evidence_scheme& scheme, const statement& evidence);

}  // namespace atls::trustee
