#include "schemes/sev_snp/evidence.hpp"

#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/tsm_evidence.hpp"

namespace atls {

result<sev_snp_evidence> sev_snp_evidence::parse(bytes_view evidence) {
  sev_snp_evidence out;
  ATLS_TRY(out.message, parse_tsm_evidence(evidence, sev_snp_scheme::provider));
  { ATLS_TRY(out.report, parse_snp_report(out.message.outblob)); }
  { ATLS_TRY(out.certificates, read_certificate_table(out.message.auxblob)); }
  if (!out.endorsement()) {
    return failure(errc::snp_certificate, out.report.signed_by == snp_signing_key::vcek
                                              ? "expected a VCEK"
                                              : "expected a VLEK");
  }
  { ATLS_TRY(out.endorsed_by, read_endorsement_key(out.endorsement().get())); }
  return out;
}

}  // namespace atls
