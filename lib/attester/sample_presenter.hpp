// This machine as Trustee's "sample" TEE, for tests only: its Evidence proves nothing.
#pragma once

#include "attestation/presenter.hpp"

namespace atls {

class sample_presenter final : public presenter {
 public:
  attestation_schemes offers() const override;
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  result<void> check(steady_time) override { return {}; }
  /// Empty: such Evidence names no machine.
  bytes instance() const override { return {}; }
  /// {"attester": "sample"}
  json describe() const override { return {{"attester", "sample"}}; }
};

}  // namespace atls
