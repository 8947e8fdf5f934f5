// What Trustee's services answer, as both of its dialects read it.
#pragma once

#include "dialects/verifier_dialect.hpp"

namespace atls::trustee {

/// Where results about the machine's own TEE stand, among "submods".
inline constexpr std::string_view submodule = "cpu0";

/// "status N: ", and the beginning of what the service says, as one line of ASCII.
std::string status_and_text(const http_reply& answer);

/// Finds the Attestation Result in an answer.
using token_finder = result<std::string> (*)(const http_reply& answer);
/// An exchange of one request, which holds the Evidence. Its answer must hold a result that says it
/// is about this report data, though nobody has verified it yet: verifier_protocol if it is no such
/// result, verifier_nonce if it is about another, and what `find_token` says.
std::unique_ptr<appraisal_exchange> make_exchange(http_request request, std::string report_data,
                                                  token_finder find_token);

/// Its results name neither nonce nor TLS key: the report data, which is bound to both, stands for
/// them.
result_binding binding(const evidence_scheme& scheme, const statement& evidence);

/// Evidence as its services take it; verifier_evidence_type if they do not.
result<tee_evidence> to_tee_evidence(const evidence_scheme& scheme, const statement& evidence);

}  // namespace atls::trustee
