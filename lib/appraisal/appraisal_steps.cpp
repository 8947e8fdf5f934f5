#include "appraisal/appraisal_steps.hpp"

#include "schemes/table.hpp"

#include <algorithm>

namespace atls {
namespace {

// Of what every Evidence type and Verifier has in common; a scheme knows its own.
constexpr std::pair<errc, appraisal_step> common_reasons[] = {
    {errc::cmw_malformed, appraisal_step::parse},
    {errc::evidence_type_unexpected, appraisal_step::parse},
    {errc::evidence_malformed, appraisal_step::parse},
    {errc::certificate_key_mismatch, appraisal_step::key},
    {errc::kid_not_allowed, appraisal_step::platform},
    {errc::verifier_unavailable, appraisal_step::verifier},
    {errc::verifier_timeout, appraisal_step::verifier},
    {errc::verifier_overloaded, appraisal_step::verifier},
    {errc::verifier_protocol, appraisal_step::verifier},
    {errc::verifier_rejected, appraisal_step::verifier},
    {errc::verifier_nonce, appraisal_step::verifier},
    {errc::verifier_evidence_type, appraisal_step::verifier},
    {errc::ear_malformed, appraisal_step::result},
    {errc::ear_algorithm, appraisal_step::result},
    {errc::ear_signature, appraisal_step::result},
    {errc::ear_profile, appraisal_step::result},
    {errc::ear_from_future, appraisal_step::result},
    {errc::ear_stale, appraisal_step::result},
    {errc::ear_not_yet_valid, appraisal_step::result},
    {errc::ear_expired, appraisal_step::result},
    {errc::ear_nonce, appraisal_step::result},
    {errc::ear_submodule, appraisal_step::result},
    {errc::ear_not_affirming, appraisal_step::result},
    {errc::ear_contradiction, appraisal_step::result},
    {errc::ear_key_mismatch, appraisal_step::result},
    {errc::ear_evidence, appraisal_step::result},
    {errc::ear_verifier_id, appraisal_step::result},
    {errc::ear_policy_id, appraisal_step::result},
    {errc::passport_expired, appraisal_step::result},
    {errc::policy_vector, appraisal_step::policy},
    {errc::policy_denied, appraisal_step::policy},
    {errc::policy_requirement, appraisal_step::policy},
    {errc::policy_not_allowed, appraisal_step::policy},
};

std::optional<appraisal_step> find(std::span<const std::pair<errc, appraisal_step>> among,
                                   errc reason) {
  const auto found = std::ranges::find(among, reason, &std::pair<errc, appraisal_step>::first);
  return found == among.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::string_view to_string(appraisal_step step) noexcept {
  constexpr std::array<std::string_view, 7> names = {
      "parse", "binder", "key", "platform", "Verifier", "Attestation Result", "policy"};
  return names[static_cast<std::size_t>(step)];
}

std::optional<appraisal_step> step_of(errc reason) {
  if (const auto step = find(common_reasons, reason)) {
    return step;
  }
  for (const auto& scheme : known_schemes()) {
    if (const auto step = find(scheme->reasons(), reason)) {
      return step;
    }
  }
  return std::nullopt;
}

}  // namespace atls
