#include "schemes/certificate_evidence.hpp"

#include "core/certificates.hpp"
#include "formats/little_endian.hpp"
#include "formats/ra_tls_certificate.hpp"
#include "formats/tsm_report.hpp"
#include "schemes/report_data.hpp"
#include "schemes/tdx/quote.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

#include <algorithm>

namespace atls {
namespace {

// Where there are several bindings: the one that the quote has.
bytes binding_of(const ra_tls_evidence& found, bytes_view report_data) {
  const auto has = [&](const bytes& one) { return equal(report_data_for(one), report_data); };
  const auto chosen = std::ranges::find_if(found.bindings, has);
  return report_data_for(chosen != found.bindings.end() ? *chosen : found.bindings.front());
}

result<certificate_evidence> of_tdx(ra_tls_evidence found) {
  ATLS_TRY(const auto quote, parse_tdx_quote(found.quote));
  auto binding = binding_of(found, quote.report.report_data);
  const tsm_report report{.provider = std::string(tdx_scheme::provider),
                          .outblob = std::move(found.quote)};
  return certificate_evidence{tdx_scheme::type, report.encode(), std::move(binding)};
}

}  // namespace

result<certificate_evidence> read_certificate_evidence(bytes_view certificate, bytes_view spki) {
  const auto parsed = certificate_from_der(certificate);
  if (!parsed) {
    return failure(errc::evidence_malformed, "the certificate: " + openssl_errors());
  }
  ATLS_TRY(auto found, read_ra_tls_evidence(parsed.get(), spki));
  if (!found) {
    return failure(errc::peer_not_attested, "neither in the handshake nor in its certificate");
  }
  return of_tdx(std::move(*found));
}

}  // namespace atls
