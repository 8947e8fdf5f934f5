// SEV-SNP Evidence as Trustee takes it: the report's fields in JSON, as the Rust crate sev writes
// them, and the certificate of the signing key.
#pragma once

#include "formats/json.hpp"
#include "schemes/sev_snp/evidence.hpp"

namespace atls {

/// {"attestation_report": {...}, "cert_chain": [{"cert_type", "data": [bytes of DER]}]}
json to_trustee(const sev_snp_evidence& evidence);

}  // namespace atls
