// Which Evidence the reports of configfs-tsm's providers make: what an Attester needs of the
// schemes.
#pragma once

#include "core/openssl.hpp"
#include "formats/tsm_report.hpp"
#include "schemes/evidence_scheme.hpp"

namespace atls {

struct tsm_provider {
  /// As the kernel names it.
  std::string_view name;
  /// Demands nothing of the platform: a machine does not judge itself.
  std::shared_ptr<const evidence_scheme> scheme;
  /// Evidence of such a report. Where the host gave no certificates for it, `certificates` (which
  /// may be none) take their place. certificate_invalid, evidence_malformed.
  result<bytes> (*evidence_of)(tsm_report report, std::vector<x509_ptr> certificates);
};

/// Null: its reports are of no known Evidence type.
const tsm_provider* find_tsm_provider(std::string_view name);

}  // namespace atls
