#include "attester/tsm_attester.hpp"

#include "core/certificates.hpp"
#include "formats/cmw.hpp"
#include "schemes/report_data.hpp"

namespace atls {

result<std::shared_ptr<tsm_attester>> tsm_attester::create(const tsm_attester_options& options,
                                                           steady_time deadline) {
  ATLS_TRY(auto entry, tsm::report_entry::open(options.entry));
  const auto* const provider = find_tsm_provider(entry->provider());
  if (provider == nullptr) {
    return failure(errc::tsm_failed, "provider \"" + entry->provider() +
                                         "\", expected sev_guest, tdx_guest or arm_cca_guest");
  }
  std::shared_ptr<tsm_attester> out(
      new tsm_attester(std::move(entry), *provider, options.certificates));
  ATLS_TRY(auto first, out->statement_over(bytes(32, 0), deadline));
  out->instance_ = std::move(first.instance);
  return out;
}

tsm_attester::tsm_attester(std::shared_ptr<const tsm::report_entry> entry,
                           const tsm_provider& provider, std::string certificates)
    : entry_(std::move(entry)), provider_(provider), certificates_(std::move(certificates)) {}

attestation_schemes tsm_attester::offers() const {
  return {attestation_scheme::evidence(provider_.scheme->media_type())};
}

// What a peer would refuse is not sent: an answer to somebody else's request, a report whose
// certificate is of older firmware.
result<statement> tsm_attester::statement_over(bytes_view binder, steady_time deadline) {
  return thread_.run<statement>(
      [entry = entry_, &provider = provider_, certificates = certificates_,
       binder = to_bytes(binder), deadline]() -> result<statement> {
        ATLS_TRY(auto report, entry->collect(report_data_for(binder), deadline));
        ATLS_TRY(const auto evidence,
                 provider.evidence_of(std::move(report), certificates_from_pem(certificates)));
        return provider.scheme->check(evidence, {binder, {}});
      },
      deadline);
}

result<bytes> tsm_attester::present(const attestation_scheme&, bytes_view binder,
                                    steady_time deadline) {
  ATLS_TRY(const auto made, statement_over(binder, deadline));
  return encode_cmw(made.media_type, made.evidence);
}

result<void> tsm_attester::check(steady_time) {
  return entry_->check();
}

json tsm_attester::describe() const {
  json out{{"attester", "tsm"},
           {"provider", provider_.name},
           {"evidence_type", provider_.scheme->media_type()}};
  if (!instance_.empty()) {
    out["kid"] = to_hex(instance_);
  }
  return out;
}

}  // namespace atls
