// The one place that knows all Evidence types.
#pragma once

#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"
#include "schemes/parsec_tpm/parsec_tpm_scheme.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/sgx/sgx_scheme.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

#include <functional>
#include <memory>

namespace atls {

/// What a tunnel's policy says of each Evidence type.
struct scheme_settings {
  parsec_tpm_policy parsec_tpm;
  sev_snp_policy sev_snp;
  tdx_policy tdx;
  sgx_policy sgx;
  arm_cca_policy arm_cca;
  azure_vtpm_policy azure_vtpm;
  /// Trustee's sample TEE, which proves nothing, is an Evidence type.
  bool unsafe_sample = false;
};

using evidence_schemes = std::vector<std::shared_ptr<const evidence_scheme>>;

/// Null where the settings do not want this type.
using scheme_maker = std::function<std::shared_ptr<const evidence_scheme>(const scheme_settings&)>;
/// All of them, the preferred ones first. Tests add theirs before anything else runs.
std::vector<scheme_maker>& scheme_table();

/// One of each type that the settings want.
evidence_schemes make_schemes(const scheme_settings& settings);
/// Every type, as documents and rules speak of them: with settings that want all.
const evidence_schemes& known_schemes();
/// Their media types.
std::vector<std::string_view> known_evidence_types();

/// Null if there is none of this media type.
std::shared_ptr<const evidence_scheme> find_scheme(const evidence_schemes& among,
                                                   std::string_view media_type);

}  // namespace atls
