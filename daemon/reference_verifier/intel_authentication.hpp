// Whether an SGX or TDX quote was made by a platform of Intel's, and how old that is.
#pragma once

#include "reference_verifier/cvm_endorsements.hpp"

namespace atls {

/// The platform's TCB state. endorsement_missing: no current collateral; pki_untrusted,
/// pki_expired, pki_revoked: the PCK certificate's chain; tdx_signature, sgx_signature;
/// report_data_mismatch: it is not the session's nonce; evidence_malformed: of another kind than
/// the collateral knows.
result<std::string> authenticate(const tdx_quote& quote, const pck_extension& platform,
                                 bytes_view nonce, const intel_endorsements& known);
result<std::string> authenticate(const sgx_quote& quote, const pck_extension& platform,
                                 bytes_view nonce, const intel_endorsements& known);

}  // namespace atls
