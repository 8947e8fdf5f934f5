#include "schemes/azure_vtpm/facts.hpp"

#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"
#include "schemes/parsec_tpm/facts.hpp"
#include "schemes/sev_snp/facts.hpp"
#include "schemes/shared_facts.hpp"
#include "schemes/tdx/facts.hpp"

#include <algorithm>
#include <iterator>

namespace atls {
namespace {

constexpr std::string_view by_paravisor =
    "The paravisor's word, in what the hardware report is about; the host chose it";

std::vector<fact> own_facts() {
  return {
      tee_fact(),
      {.name = "evidence.azure.vm_id",
       .type = any_text{},
       .meaning = "The Azure VM (vmUniqueId)",
       .worth = by_paravisor},
      {.name = "evidence.azure.secure_boot",
       .type = yes_no{},
       .meaning = "Secure Boot is on",
       .worth = by_paravisor},
      {.name = "evidence.azure.console_enabled",
       .type = yes_no{},
       .meaning = "The VM has a serial console, which its host sees",
       .worth = by_paravisor},
  };
}

}  // namespace

json facts_of(const hcl_report& report, json of_tpm, const json& of_hardware) {
  const bool is_snp = report.hardware == azure_hardware::snp;
  const std::string name = is_snp ? "snp" : "tdx";
  auto out = std::move(of_tpm);
  out["type"] = azure_vtpm_scheme::type;
  out["tee"] = is_snp ? "azure-snp" : "azure-tdx";
  out["azure"] = {{"vm_id", report.vm_id},
                  {"secure_boot", report.secure_boot},
                  {"console_enabled", report.console_enabled}};
  out[name] = of_hardware.at(name);
  return out;
}

std::span<const fact> azure_vtpm_facts() {
  // The hardware's report data are not this handshake's, and its TLS key is the TPM's.
  static const std::vector<fact> all = [] {
    auto out = own_facts();
    std::ranges::copy(parsec_tpm_facts(), std::back_inserter(out));
    for (const auto& of_hardware : {sev_snp_facts(), tdx_facts()}) {
      std::ranges::copy_if(of_hardware, std::back_inserter(out), [](const fact& one) {
        return one.name.starts_with("evidence.snp.") || one.name.starts_with("evidence.tdx.");
      });
    }
    return out;
  }();
  return all;
}

}  // namespace atls
