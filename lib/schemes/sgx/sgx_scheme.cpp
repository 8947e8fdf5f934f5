#include "schemes/sgx/sgx_scheme.hpp"

#include "schemes/report_data.hpp"
#include "schemes/sgx/facts.hpp"

namespace atls {
namespace {

result<void> check_attributes(const json& sgx, const sgx_policy& policy) {
  if (sgx.at("attributes").at("debug").get<bool>() && !policy.unsafe_debug) {
    return failure(errc::sgx_debug);
  }
  return {};
}

}  // namespace

result<statement> sgx_scheme::check(bytes_view evidence,
                                    const evidence_expectations& expected) const {
  ATLS_TRY(const auto read, sgx_evidence::parse(evidence));
  ATLS_CHECK(check_report_data(read.quote.report.report_data, expected.binder));
  auto facts = facts_of(read);
  ATLS_CHECK(check_attributes(facts.at("sgx"), policy_));
  ATLS_CHECK(check_signatures(read.quote));
  return statement{std::string(type), to_bytes(evidence), read.platform.ppid, std::move(facts)};
}

result<void> sgx_scheme::recheck(const statement& of) const {
  return check_attributes(of.facts.at("sgx"), policy_);
}

result<json> sgx_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto read, sgx_evidence::parse(evidence));
  return facts_of(read);
}

result_shape sgx_scheme::shape() const {
  const std::vector<std::size_t> affirmed{trust_claim::executables, trust_claim::hardware};
  return {.submodules = {{submodule, affirmed}}, .tee = "sgx", .tee_affirmed = affirmed};
}

std::span<const fact> sgx_scheme::facts() const {
  return sgx_facts();
}

std::span<const std::pair<errc, appraisal_step>> sgx_scheme::reasons() const {
  using enum errc;
  using enum appraisal_step;
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {signature_unsupported, parse},
      {report_data_mismatch, binder},
      {sgx_debug, platform},
      {sgx_signature, platform},
  };
  return all;
}

bytes sgx_scheme::veraison_nonce(bytes_view nonce) const {
  return report_data_for(nonce);
}

tee_evidence sgx_scheme::for_trustee(const statement& of) const {
  return {{{"quote", to_base64(of.evidence)}}, of.facts.at("report_data").get<std::string>()};
}

}  // namespace atls
