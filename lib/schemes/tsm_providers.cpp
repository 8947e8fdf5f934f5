#include "schemes/tsm_providers.hpp"

#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "schemes/sev_snp/certificate_table.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

#include <algorithm>

namespace atls {
namespace {

result<bytes> of_snp(tsm_report report, std::vector<x509_ptr> certificates) {
  ATLS_TRY(const auto by_host, read_certificate_table(report.auxblob));
  if (!by_host.vcek && !by_host.vlek && !certificates.empty()) {
    ATLS_TRY(const auto sorted, sort_certificates(std::move(certificates)));
    report.auxblob = encode_certificate_table(sorted);
  }
  return report.encode();
}

result<bytes> of_tdx(tsm_report report, std::vector<x509_ptr>) {
  return report.encode();
}

// The token is complete as it is.
result<bytes> of_cca(tsm_report report, std::vector<x509_ptr>) {
  return std::move(report.outblob);
}

}  // namespace

const tsm_provider* find_tsm_provider(std::string_view name) {
  static const tsm_provider all[] = {
      {sev_snp_scheme::provider,
       std::make_shared<sev_snp_scheme>(
           sev_snp_policy{.max_vmpl = 3, .unsafe_debug = true, .unsafe_migration = true}),
       of_snp},
      {tdx_scheme::provider, std::make_shared<tdx_scheme>(tdx_policy{.unsafe_debug = true}),
       of_tdx},
      {arm_cca_scheme::provider,
       std::make_shared<arm_cca_scheme>(arm_cca_policy{.unsafe_lifecycle = true}), of_cca},
  };
  const auto* const found = std::ranges::find(all, name, &tsm_provider::name);
  return found == std::end(all) ? nullptr : found;
}

}  // namespace atls
