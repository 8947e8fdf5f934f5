#include "schemes/table.hpp"

#include "schemes/sample/sample_scheme.hpp"

#include <algorithm>

namespace atls {

std::vector<scheme_maker>& scheme_table() {
  static std::vector<scheme_maker> table = {
      [](const scheme_settings& settings) {
        return std::make_shared<parsec_tpm_scheme>(settings.parsec_tpm);
      },
      [](const scheme_settings& settings) {
        return std::make_shared<sev_snp_scheme>(settings.sev_snp);
      },
      [](const scheme_settings& settings) { return std::make_shared<tdx_scheme>(settings.tdx); },
      [](const scheme_settings& settings) { return std::make_shared<sgx_scheme>(settings.sgx); },
      [](const scheme_settings& settings) {
        return std::make_shared<arm_cca_scheme>(settings.arm_cca);
      },
      [](const scheme_settings& settings) {
        return std::make_shared<azure_vtpm_scheme>(settings.azure_vtpm, settings.parsec_tpm,
                                                   settings.sev_snp, settings.tdx);
      },
      [](const scheme_settings& settings) {
        return settings.unsafe_sample ? std::make_shared<sample_scheme>() : nullptr;
      },
  };
  return table;
}

evidence_schemes make_schemes(const scheme_settings& settings) {
  evidence_schemes out;
  for (const auto& make : scheme_table()) {
    if (auto scheme = make(settings)) {
      out.push_back(std::move(scheme));
    }
  }
  return out;
}

const evidence_schemes& known_schemes() {
  static const evidence_schemes all = make_schemes({.unsafe_sample = true});
  return all;
}

std::vector<std::string_view> known_evidence_types() {
  std::vector<std::string_view> out;
  for (const auto& one : known_schemes()) {
    out.push_back(one->media_type());
  }
  return out;
}

std::shared_ptr<const evidence_scheme> find_scheme(const evidence_schemes& among,
                                                   std::string_view media_type) {
  const auto found =
      std::ranges::find_if(among, [&](const auto& one) { return one->media_type() == media_type; });
  return found == among.end() ? nullptr : *found;
}

}  // namespace atls
