#include "reference_verifier/intel_authentication.hpp"

#include "core/certificates.hpp"

#include <algorithm>

namespace atls {
namespace {

template <class Quote>
result<std::string> authenticate_any(const Quote& quote, const pck_extension& platform,
                                     bytes_view nonce, const intel_endorsements& known) {
  const auto collateral =
      std::ranges::find(known.collateral, platform.fmspc, &pcs_collateral::fmspc);
  if (collateral == known.collateral.end()) {
    return failure(errc::endorsement_missing,
                   "no collateral for platforms of FMSPC " + to_hex(platform.fmspc));
  }
  ATLS_CHECK(collateral->check(known.roots, std::chrono::system_clock::now()));
  const auto chain = certificates_from_pem(quote.signed_by.pck_chain);
  ATLS_CHECK(check_chain(chain.front().get(), chain, known.roots, collateral->revoked()));
  ATLS_CHECK(check_signatures(quote));
  if (!equal(quote.report.report_data, nonce)) {
    return failure(errc::report_data_mismatch, "the report data is not the session's nonce");
  }
  return collateral->tcb_status(quote, platform);
}

}  // namespace

result<std::string> authenticate(const tdx_quote& quote, const pck_extension& platform,
                                 bytes_view nonce, const intel_endorsements& known) {
  return authenticate_any(quote, platform, nonce, known);
}

result<std::string> authenticate(const sgx_quote& quote, const pck_extension& platform,
                                 bytes_view nonce, const intel_endorsements& known) {
  return authenticate_any(quote, platform, nonce, known);
}

}  // namespace atls
