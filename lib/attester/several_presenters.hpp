// This machine by each of its roots of trust, in the order of preference.
#pragma once

#include "attestation/presenter.hpp"

namespace atls {

class several_presenters final : public presenter {
 public:
  /// At least one.
  explicit several_presenters(std::vector<std::shared_ptr<presenter>> all) : all_(std::move(all)) {}

  attestation_schemes offers() const override;
  /// By the one that offers the scheme; internal if none does.
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  /// Each can: a peer chooses.
  result<void> check(steady_time deadline) override;
  /// The preferred one's.
  bytes instance() const override { return all_.front()->instance(); }
  json describe() const override { return all_.front()->describe(); }

 private:
  const std::vector<std::shared_ptr<presenter>> all_;
};

}  // namespace atls
