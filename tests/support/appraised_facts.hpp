// The facts of an appraisal of real structures.
#pragma once

#include "appraisal/policy/facts.hpp"
#include "schemes/parsec_tpm/parsec_tpm_scheme.hpp"
#include "support/software_tpm.hpp"

namespace atls::test {

inline json appraised_facts() {
  static const json made = [] {
    const evidence_maker maker;
    ear claims;
    claims.profile = ear::veraison_profile;
    claims.issued_at = 1000;
    claims.developer = "somebody";
    ear_appraisal appraisal;
    appraisal.status = trust_tier::affirming;
    appraisal.vector = {2, 0, 3, 0, 2, 0, 0, 0};
    appraisal.policy_ids = {"policy:PARSEC_TPM"};
    claims.submodules.emplace(parsec_tpm_evidence::scheme, appraisal);
    return appraisal_facts(parsec_tpm_scheme({}).read(maker.make().encode()).value(),
                           ear_facts(claims, std::chrono::system_clock::from_time_t(1007)),
                           "orders.example");
  }();
  return made;
}

}  // namespace atls::test
