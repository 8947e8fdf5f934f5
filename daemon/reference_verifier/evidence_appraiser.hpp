// How the reference Verifier appraises one Evidence type. To add a type: a class here with one of
// these, and a line in reference_verifier.cpp (appraisers_for).
#pragma once

#include "formats/ear.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace atls {

/// What the submodules of an Attestation Result say, by their names.
using verdicts = std::vector<std::pair<std::string_view, ear_appraisal>>;

/// No I/O. Any thread.
class evidence_appraiser {
 public:
  virtual ~evidence_appraiser() = default;

  virtual std::string_view media_type() const noexcept = 0;
  /// Bad Evidence is no error but a verdict: the reason stands in the appraisal's policy claim
  /// "problem".
  virtual verdicts appraise(bytes_view evidence, bytes_view session_nonce) const = 0;
};

/// One for each media type; the first of a type counts.
using evidence_appraisers = std::vector<std::shared_ptr<const evidence_appraiser>>;

}  // namespace atls
