#include "schemes/tdx/tdx_scheme.hpp"

#include "formats/ear.hpp"
#include "schemes/report_data.hpp"
#include "schemes/tdx/facts.hpp"

#include <algorithm>

namespace atls {
namespace {

// Modules of others than Intel, and modules that are not in production, show it here.
result<void> check_module(const td_report& report) {
  const auto is_zero = [](auto byte) { return byte == 0; };
  if (report.seam_attributes != 0 || !std::ranges::all_of(report.mrsignerseam, is_zero)) {
    return failure(errc::tdx_module, "SEAMATTRIBUTES " + std::to_string(report.seam_attributes) +
                                         ", MRSIGNERSEAM " + to_hex(report.mrsignerseam) +
                                         ", expected zeros");
  }
  return {};
}

result<void> check_attributes(const json& tdx, const tdx_policy& policy) {
  if (tdx.at("attributes").at("debug").get<bool>() && !policy.unsafe_debug) {
    return failure(errc::tdx_debug);
  }
  return {};
}

}  // namespace

result<statement> tdx_scheme::check(bytes_view evidence,
                                    const evidence_expectations& expected) const {
  ATLS_TRY(const auto read, tdx_evidence::parse(evidence));
  ATLS_CHECK(check_report_data(read.quote.report.report_data, expected.binder));
  auto facts = facts_of(read);
  ATLS_CHECK(check_module(read.quote.report));
  ATLS_CHECK(check_attributes(facts.at("tdx"), policy_));
  ATLS_CHECK(check_signatures(read.quote));
  return statement{std::string(type), to_bytes(evidence), read.platform.ppid, std::move(facts)};
}

result<void> tdx_scheme::recheck(const statement& of) const {
  return check_attributes(of.facts.at("tdx"), policy_);
}

result<json> tdx_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto read, tdx_evidence::parse(evidence));
  return facts_of(read);
}

result_shape tdx_scheme::shape() const {
  const std::vector<std::size_t> affirmed{trust_claim::executables, trust_claim::hardware};
  return {.submodules = {{submodule, affirmed}}, .tee = "tdx", .tee_affirmed = affirmed};
}

std::span<const fact> tdx_scheme::facts() const {
  return tdx_facts();
}

std::span<const std::pair<errc, appraisal_step>> tdx_scheme::reasons() const {
  using enum errc;
  using enum appraisal_step;
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {signature_unsupported, parse}, {report_data_mismatch, binder}, {tdx_module, platform},
      {tdx_debug, platform},          {tdx_signature, platform},
  };
  return all;
}

bytes tdx_scheme::veraison_nonce(bytes_view nonce) const {
  return report_data_for(nonce);
}

tee_evidence tdx_scheme::for_trustee(const statement& of) const {
  // Its check() has read the same.
  const auto read = tdx_evidence::parse(of.evidence).value();
  return {{{"quote", to_base64(read.encoded_quote)}, {"cc_eventlog", nullptr}},
          to_hex(read.quote.report.report_data)};
}

}  // namespace atls
