// A confidential VM as the root of trust: SEV-SNP, TDX, Arm CCA, by the kernel's configfs-tsm.
#pragma once

#include "attestation/presenter.hpp"
#include "core/service_thread.hpp"
#include "schemes/tsm_providers.hpp"
#include "tsm/report_entry.hpp"

namespace atls {

struct tsm_attester_options {
  tsm::entry_options entry;
  /// PEM: the certificates of the key that signs SNP reports, where the host gives none; empty:
  /// none.
  std::string certificates;
};

class tsm_attester final : public presenter {
 public:
  /// Has one report made, so that a mistake shows at start-up: tsm_unavailable, tsm_timeout,
  /// tsm_failed, certificate_invalid, or what is wrong with the report.
  static result<std::shared_ptr<tsm_attester>> create(const tsm_attester_options& options,
                                                      steady_time deadline);

  attestation_schemes offers() const override;
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                        steady_time deadline) override;
  result<void> check(steady_time deadline) override;
  /// The chip or platform; empty where its reports do not name it.
  bytes instance() const override { return instance_; }
  json describe() const override;

  service_thread::counters counters() const { return thread_.count(); }

 private:
  tsm_attester(std::shared_ptr<const tsm::report_entry> entry, const tsm_provider& provider,
               std::string certificates);

  result<statement> statement_over(bytes_view binder, steady_time deadline);

  const std::shared_ptr<const tsm::report_entry> entry_;
  const tsm_provider& provider_;
  const std::string certificates_;
  bytes instance_;
  service_thread thread_{{.overloaded = errc::tsm_overloaded, .late = errc::tsm_timeout}};
};

}  // namespace atls
