#include "schemes/sev_snp/sev_snp_scheme.hpp"

#include "formats/ear.hpp"
#include "schemes/report_data.hpp"
#include "schemes/sev_snp/facts.hpp"
#include "schemes/sev_snp/tee_evidence.hpp"

#include <algorithm>

namespace atls {
namespace {

// What no signature says, by the facts: whether the guest is closed to its host.
result<void> check_guest(const json& snp, const sev_snp_policy& policy) {
  const auto& of_guest = snp.at("policy");
  if (of_guest.at("debug").get<bool>() && !policy.unsafe_debug) {
    return failure(errc::snp_debug);
  }
  for (const auto* sign : {"migrate_ma", "migration_agent"}) {
    if (of_guest.at(sign).get<bool>() && !policy.unsafe_migration) {
      return failure(errc::snp_migration, std::string(sign) + " is set");
    }
  }
  if (const auto vmpl = snp.at("vmpl").get<unsigned>(); vmpl > policy.max_vmpl) {
    return failure(errc::snp_vmpl, "found " + std::to_string(vmpl) + ", expected at most " +
                                       std::to_string(policy.max_vmpl));
  }
  return {};
}

// Firmware cannot be newer than what runs.
result<void> check_order(const sev_snp_evidence& evidence) {
  const auto product = evidence.endorsed_by.product;
  const auto reported = tcb_from(evidence.report.reported_tcb, product);
  const auto current = tcb_from(evidence.report.current_tcb, product);
  if (!current.covers(reported)) {
    return failure(errc::snp_tcb_order,
                   "reported " + to_string(reported) + "; current " + to_string(current));
  }
  return {};
}

bytes instance_of(const snp_report& report) {
  const bool is_hidden = std::ranges::all_of(report.chip_id, [](auto byte) { return byte == 0; });
  return is_hidden ? bytes() : report.chip_id;
}

}  // namespace

result<statement> sev_snp_scheme::check(bytes_view evidence,
                                        const evidence_expectations& expected) const {
  ATLS_TRY(const auto read, sev_snp_evidence::parse(evidence));
  ATLS_CHECK(check_report_data(read.report.report_data, expected.binder));
  auto facts = facts_of(read);
  ATLS_CHECK(check_guest(facts.at("snp"), policy_));
  ATLS_CHECK(check_endorsed(read.report, read.endorsed_by));
  ATLS_CHECK(check_order(read));
  return statement{std::string(type), to_bytes(evidence), instance_of(read.report),
                   std::move(facts)};
}

result<void> sev_snp_scheme::recheck(const statement& of) const {
  return check_guest(of.facts.at("snp"), policy_);
}

result<json> sev_snp_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto read, sev_snp_evidence::parse(evidence));
  return facts_of(read);
}

result_shape sev_snp_scheme::shape() const {
  return {.submodules = {{submodule, {trust_claim::hardware, trust_claim::runtime_opaque}}},
          .tee = "snp",
          .tee_affirmed = {trust_claim::executables, trust_claim::hardware}};
}

std::span<const fact> sev_snp_scheme::facts() const {
  return sev_snp_facts();
}

std::span<const std::pair<errc, appraisal_step>> sev_snp_scheme::reasons() const {
  using enum errc;
  using enum appraisal_step;
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {signature_unsupported, parse}, {snp_certificate, parse},     {report_data_mismatch, binder},
      {snp_debug, platform},          {snp_migration, platform},    {snp_vmpl, platform},
      {snp_signature, platform},      {snp_tcb_mismatch, platform}, {snp_tcb_order, platform},
      {snp_chip_mismatch, platform},
  };
  return all;
}

// Veraison takes certificates in PEM only.
veraison_evidence sev_snp_scheme::for_veraison(const statement& of) const {
  // Its check() has read the same.
  auto read = sev_snp_evidence::parse(of.evidence).value();
  read.message.auxblob = encode_certificate_table(read.certificates);
  return {std::string(tsm_report::cbor_type), read.message.encode()};
}

bytes sev_snp_scheme::veraison_nonce(bytes_view nonce) const {
  return report_data_for(nonce);
}

tee_evidence sev_snp_scheme::for_trustee(const statement& of) const {
  const auto read = sev_snp_evidence::parse(of.evidence).value();
  return {to_trustee(read), to_hex(read.report.report_data)};
}

}  // namespace atls
