#include "schemes/certificate_evidence.hpp"

#include "core/certificates.hpp"
#include "formats/ra_tls_certificate.hpp"
#include "formats/tsm_report.hpp"
#include "schemes/ecdsa_quote.hpp"
#include "schemes/report_data.hpp"
#include "schemes/sgx/quote.hpp"
#include "schemes/sgx/sgx_scheme.hpp"
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

result<certificate_evidence> of_sgx(ra_tls_evidence found) {
  ATLS_TRY(const auto quote, parse_sgx_quote(found.quote));
  auto binding = binding_of(found, quote.report.report_data);
  return certificate_evidence{sgx_scheme::type, std::move(found.quote), std::move(binding)};
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
  ATLS_TRY(const auto header, read_quote_header(found->quote));
  return header.tee == quote_header::tdx ? of_tdx(std::move(*found)) : of_sgx(std::move(*found));
}

}  // namespace atls
