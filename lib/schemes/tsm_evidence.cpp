#include "schemes/tsm_evidence.hpp"

namespace atls {

result<tsm_report> parse_tsm_evidence(bytes_view evidence, std::string_view provider) {
  ATLS_TRY(auto out, tsm_report::parse(evidence));
  if (out.provider != provider) {
    return failure(errc::evidence_malformed, "TSM report: found provider \"" + out.provider +
                                                 "\", expected \"" + std::string(provider) + "\"");
  }
  if (!out.service_provider.empty() || !out.manifestblob.empty()) {
    return failure(errc::evidence_malformed,
                   "TSM report: of a service between guest and hardware (SVSM), which is not "
                   "supported");
  }
  return out;
}

}  // namespace atls
