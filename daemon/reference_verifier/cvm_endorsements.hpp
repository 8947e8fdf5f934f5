// What the reference Verifier knows of confidential VMs and SGX enclaves: a JSON document beside
// the CoRIMs.
//
//   {"snp": {"roots": file, "crls": [file], "references": [{fact: value}],
//            "min_tcb": {"bootloader", "tee", "snp", "microcode", "fmc"}},
//    "tdx": {"roots": file, "collateral": [file], "accepted": [TCB status],
//            "references": [{fact: value}]},
//    "sgx": {as "tdx"},
//    "cca": {"platforms": [{"instance_id": hex, "key": file}],
//            "platform_references": [{fact: value}], "references": [{fact: value}]},
//    "azure": {"snp": [{fact: value}], "tdx": [{fact: value}]}}
//
// Files are PEM, relative to the document; lists may be in DER. Without roots they are AMD's and
// Intel's own. References hold facts of the Evidence by their names below "evidence.snp",
// "evidence.tdx", "evidence.sgx" and "evidence.cca"; Evidence must have all facts of one of them.
// Those of "azure" are of Azure's paravisors, by their hardware: what such a one says of a TPM is
// believed, and what another guest says is not.
#pragma once

#include "formats/jose.hpp"
#include "formats/json.hpp"
#include "reference_verifier/certificate_chain.hpp"
#include "reference_verifier/pcs_collateral.hpp"
#include "schemes/arm_cca/endorsements.hpp"
#include "schemes/sev_snp/report.hpp"

#include <filesystem>
#include <map>

namespace atls {

/// ARK-Milan, ARK-Genoa and ARK-Turin.
trusted_roots amd_roots();
/// Intel SGX Root CA.
trusted_roots intel_roots();

struct intel_endorsements {
  trusted_roots roots = intel_roots();
  std::vector<pcs_collateral> collateral;
  /// TCB states that are good.
  std::vector<std::string> accepted{"UpToDate"};
  std::vector<json> references;
};

struct cvm_endorsements {
  struct {
    trusted_roots roots = amd_roots();
    std::vector<crl_ptr> revoked;
    /// The oldest firmware that is good.
    snp_tcb min_tcb;
    std::vector<json> references;
  } snp;
  intel_endorsements tdx;
  intel_endorsements sgx;
  struct {
    /// By instance id: what signs a platform's tokens.
    std::map<bytes, jws_key> platforms;
    std::vector<json> platform_references;
    std::vector<json> references;
  } cca;
  struct {
    std::vector<json> snp;
    std::vector<json> tdx;
  } azure;

  /// Adds what a document says. endorsement_missing with its name and what was expected.
  result<void> add(const std::filesystem::path& document);
  /// Adds what CoRIMs say.
  result<void> add(const cca_endorsements& endorsements);

  std::size_t reference_count() const noexcept {
    return snp.references.size() + tdx.references.size() + sgx.references.size() +
           cca.platform_references.size() + cca.references.size() + azure.snp.size() +
           azure.tdx.size();
  }
};

/// Whether the facts agree with one of these sets. Of a list, each value must be in the set's.
bool matches_any(const json& facts, const std::vector<json>& references);

}  // namespace atls
