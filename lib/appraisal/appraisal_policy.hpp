// What a tunnel demands of its peers, beyond what the Verifier judges.
#pragma once

#include "appraisal/ear_check.hpp"
#include "appraisal/policy/policy_rules.hpp"
#include "attestation/scheme.hpp"
#include "schemes/table.hpp"

namespace atls {

struct passport_policy {
  /// Its nonce must be the binder: the attester had it issued within this handshake.
  bool is_fresh = false;
  /// For how long one may be used after it was issued (appraisal validity period).
  std::chrono::seconds max_age{600};
};

struct appraisal_policy {
  /// In order of preference.
  std::vector<attestation_model> accepts{attestation_model::background_check};
  /// Evidence that certificates carry, where none is presented. It is not fresh.
  bool takes_certificates = false;
  /// Evidence types, each with its own demands; in order of preference.
  evidence_schemes schemes;
  /// Machines (statement::instance); empty: any that the Verifier knows.
  std::vector<bytes> allowed_instances;
  result_policy results;
  passport_policy passports;
  std::vector<policy_rule> rules;
  /// Whom the rules would refuse is admitted, with a note.
  bool dry_run = false;
};

}  // namespace atls
