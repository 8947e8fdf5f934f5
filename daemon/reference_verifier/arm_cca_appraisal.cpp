#include "reference_verifier/arm_cca_appraisal.hpp"

#include "formats/cose.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "schemes/arm_cca/facts.hpp"
#include "schemes/report_data.hpp"

namespace atls {
namespace {

constexpr auto platform_scheme = arm_cca_scheme::platform_submodule;
constexpr auto realm_scheme = arm_cca_scheme::realm_submodule;

result<cca_token> authenticate(bytes_view evidence, bytes_view nonce,
                               const cvm_endorsements& known) {
  ATLS_TRY(auto token, cca_token::parse(evidence));
  const auto key = known.cca.platforms.find(token.platform.instance_id);
  if (key == known.cca.platforms.end()) {
    return failure(errc::endorsement_missing,
                   "no key of platform " + to_hex(token.platform.instance_id));
  }
  ATLS_CHECK(verify_cwt(token.platform_token, key->second));
  ATLS_CHECK(check_realm(token));
  ATLS_CHECK(check_report_data(token.realm.challenge, nonce));
  return token;
}

verdicts both(ear_appraisal platform, ear_appraisal realm) {
  return {{platform_scheme, std::move(platform)}, {realm_scheme, std::move(realm)}};
}

ear_appraisal appraise_platform(const cca_token& token, const cvm_endorsements& known) {
  using namespace verdict;
  if (!is_secured(token.platform.lifecycle)) {
    return refused(platform_scheme, trust_claim::instance_identity, contraindicated,
                   "the platform is not secured");
  }
  const auto facts = facts_of(token).at("cca");
  if (!matches_any(facts, known.cca.platform_references)) {
    return refused(platform_scheme, trust_claim::executables, unrecognised_executables,
                   "components " + facts.at("components").dump() + " and configuration " +
                       facts.at("config").get<std::string>() + " of implementation " +
                       facts.at("implementation_id").get<std::string>() +
                       " are not among the reference values");
  }
  using namespace trust_claim;
  return affirming(platform_scheme, {instance_identity, configuration, executables, hardware,
                                     runtime_opaque, storage_opaque});
}

ear_appraisal appraise_realm(const cca_token& token, const cvm_endorsements& known) {
  using namespace verdict;
  const auto facts = facts_of(token).at("cca");
  if (!matches_any(facts, known.cca.references)) {
    return refused(realm_scheme, trust_claim::executables, unrecognised_executables,
                   "RIM " + facts.at("rim").get<std::string>() +
                       " and what extends it are not among the reference values");
  }
  return affirming(realm_scheme, {trust_claim::instance_identity, trust_claim::executables});
}

}  // namespace

std::string_view arm_cca_appraiser::media_type() const noexcept {
  return arm_cca_scheme::type;
}

verdicts arm_cca_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  const auto& known = endorsements().of_cvms();
  const auto token = authenticate(evidence, session_nonce, known);
  if (!token) {
    return both(verdict::unauthentic(platform_scheme, token.error().text()),
                verdict::unauthentic(realm_scheme, token.error().text()));
  }
  return both(appraise_platform(*token, known), appraise_realm(*token, known));
}

}  // namespace atls
