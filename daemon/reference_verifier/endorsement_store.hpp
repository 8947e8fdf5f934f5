// The endorsements that the reference Verifier knows: every *.cbor of a directory, and what it
// knows of confidential VMs.
#pragma once

#include "reference_verifier/cvm_endorsements.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"

#include <filesystem>

namespace atls {

class endorsement_store {
 public:
  /// What is read of confidential VMs, if it is there.
  static constexpr std::string_view cvm_file = "confidential-vms.json";

  /// Reads all of the directory or fails, naming the file. Equal endorsements count once.
  static result<endorsement_store> load(const std::filesystem::path& directory);

  /// In any form that Veraison takes; endorsement_missing, corim_malformed.
  result<void> add(bytes_view corim);
  void add(const parsec_tpm_endorsements& endorsements);

  /// Trust anchors with this kid; more than one distinct is the caller's problem.
  std::vector<const parsec_tpm_endorsements::trust_anchor*> anchors(bytes_view kid) const;
  std::vector<const parsec_tpm_endorsements::reference_values*> references(
      bytes_view class_id) const;
  /// Of all classes.
  std::vector<const parsec_tpm_endorsements::reference_values*> references() const;

  const cvm_endorsements& of_cvms() const noexcept { return cvms_; }

  std::size_t anchor_count() const noexcept { return known_.trust_anchors.size(); }
  std::size_t reference_count() const noexcept { return known_.references.size(); }

 private:
  parsec_tpm_endorsements known_;
  cvm_endorsements cvms_;
};

}  // namespace atls
