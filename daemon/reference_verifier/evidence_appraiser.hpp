// What the reference Verifier knows of one Evidence type.
#pragma once

#include "formats/ear.hpp"

#include <memory>
#include <span>

namespace atls {

/// Pure: no I/O, no clock. Any thread.
class evidence_appraiser {
 public:
  virtual ~evidence_appraiser() = default;

  virtual std::string_view media_type() const noexcept = 0;
  /// Of the Attestation Result.
  virtual std::string_view submodule() const noexcept = 0;
  /// Bad Evidence is no error but a verdict: the reason stands in the appraisal's policy claim
  /// "problem".
  virtual ear_appraisal appraise(bytes_view evidence, bytes_view session_nonce) const = 0;
};

using evidence_appraisers = std::vector<std::shared_ptr<const evidence_appraiser>>;

}  // namespace atls
