// Evidence of SEV-SNP, read.
#pragma once

#include "formats/tsm_report.hpp"
#include "schemes/sev_snp/certificate_table.hpp"
#include "schemes/sev_snp/endorsement_key.hpp"

namespace atls {

struct sev_snp_evidence {
  tsm_report message;
  snp_report report;
  snp_certificates certificates;
  /// Of the certificate that goes with the report's signing key.
  snp_endorsement_key endorsed_by;

  /// evidence_malformed, signature_unsupported; snp_certificate if that certificate is not there.
  static result<sev_snp_evidence> parse(bytes_view evidence);

  /// The certificate of endorsed_by.
  const x509_ptr& endorsement() const noexcept {
    return report.signed_by == snp_signing_key::vcek ? certificates.vcek : certificates.vlek;
  }
};

}  // namespace atls
