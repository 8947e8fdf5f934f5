// Evidence of confidential VMs from the published data of tests/vectors.
#pragma once

#include "formats/tsm_report.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/tdx/tdx_scheme.hpp"
#include "support/vectors.hpp"

namespace atls::test {

/// As configfs-tsm gives it, of a report and the host's certificates.
inline bytes snp_evidence(bytes report, const std::string& certificates = "auxblob-vcek-pem.bin") {
  return tsm_report{
      .provider = std::string(sev_snp_scheme::provider),
      .outblob = std::move(report),
      .auxblob = certificates.empty() ? bytes() : read_binary_vector("snp/" + certificates)}
      .encode();
}
inline bytes snp_evidence(const std::string& report,
                          const std::string& certificates = "auxblob-vcek-pem.bin") {
  return snp_evidence(read_binary_vector("snp/" + report), certificates);
}

inline bytes tdx_evidence_of(bytes quote) {
  return tsm_report{.provider = std::string(tdx_scheme::provider), .outblob = std::move(quote)}
      .encode();
}
inline bytes tdx_evidence_of(const std::string& quote) {
  return tdx_evidence_of(read_binary_vector("tdx/" + quote));
}

}  // namespace atls::test
