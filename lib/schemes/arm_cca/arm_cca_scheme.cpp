#include "schemes/arm_cca/arm_cca_scheme.hpp"

#include "formats/ear.hpp"
#include "schemes/arm_cca/facts.hpp"
#include "schemes/report_data.hpp"

namespace atls {
namespace {

result<void> check_lifecycle(const json& cca, const arm_cca_policy& policy) {
  const auto found = cca.at("lifecycle").get<std::uint16_t>();
  if (!is_secured(found) && !policy.unsafe_lifecycle) {
    return failure(errc::cca_lifecycle,
                   "found " + std::to_string(found) + ", expected 12288 to 12543");
  }
  return {};
}

}  // namespace

result<statement> arm_cca_scheme::check(bytes_view evidence,
                                        const evidence_expectations& expected) const {
  ATLS_TRY(const auto token, cca_token::parse(evidence));
  ATLS_CHECK(check_report_data(token.realm.challenge, expected.binder));
  auto facts = facts_of(token);
  ATLS_CHECK(check_lifecycle(facts.at("cca"), policy_));
  ATLS_CHECK(check_realm(token));
  return statement{std::string(type), to_bytes(evidence), token.platform.instance_id,
                   std::move(facts)};
}

result<void> arm_cca_scheme::recheck(const statement& of) const {
  return check_lifecycle(of.facts.at("cca"), policy_);
}

result<json> arm_cca_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto token, cca_token::parse(evidence));
  return facts_of(token);
}

// Veraison affirms a realm whose extensible measurements it has not recognised, with executables 3.
result_shape arm_cca_scheme::shape() const {
  using namespace trust_claim;
  return {.submodules = {{platform_submodule,
                          {instance_identity, configuration, hardware},
                          {executables}},
                         {realm_submodule, {instance_identity}, {executables}}},
          .tee = "cca",
          .tee_affirmed = {executables, hardware}};
}

std::span<const fact> arm_cca_scheme::facts() const {
  return arm_cca_facts();
}

std::span<const std::pair<errc, appraisal_step>> arm_cca_scheme::reasons() const {
  using enum errc;
  using enum appraisal_step;
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {report_data_mismatch, binder},
      {cca_lifecycle, platform},
      {cca_realm_key, platform},
      {cca_signature, platform},
  };
  return all;
}

tee_evidence arm_cca_scheme::for_trustee(const statement& of) const {
  // Its check() has read the same.
  const auto token = cca_token::parse(of.evidence).value();
  const json octets = json::array_t(of.evidence.begin(), of.evidence.end());
  return {{{"token", octets}}, to_hex(token.realm.challenge)};
}

}  // namespace atls
