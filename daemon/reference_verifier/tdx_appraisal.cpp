#include "reference_verifier/tdx_appraisal.hpp"

#include "reference_verifier/intel_authentication.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/tdx/facts.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::string_view scheme = tdx_scheme::submodule;

}  // namespace

ear_appraisal appraise_tdx(bytes_view evidence, bytes_view nonce, const intel_endorsements& known,
                           const std::vector<json>& references) {
  using namespace verdict;
  const auto read = tdx_evidence::parse(evidence);
  if (!read) {
    return unauthentic(scheme, read.error().text());
  }
  const auto tcb_status = authenticate(read->quote, read->platform, nonce, known);
  if (!tcb_status) {
    return unauthentic(scheme, tcb_status.error().text());
  }
  const auto facts = facts_of(*read).at("tdx");
  if (facts.at("attributes").at("debug").get<bool>()) {
    return refused(scheme, trust_claim::configuration, contraindicated, "the TD can be debugged");
  }
  if (std::ranges::find(known.accepted, *tcb_status) == known.accepted.end()) {
    return refused(scheme, trust_claim::hardware, unsafe_hardware,
                   "the platform's TCB is " + *tcb_status);
  }
  if (!matches_any(facts, references)) {
    return refused(scheme, trust_claim::executables, unrecognised_executables,
                   "MRTD " + facts.at("mrtd").get<std::string>() +
                       " and the runtime measurements are not among the reference values");
  }
  return affirming(scheme, {trust_claim::executables, trust_claim::hardware});
}

std::string_view tdx_appraiser::media_type() const noexcept {
  return tdx_scheme::type;
}

verdicts tdx_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  const auto& known = endorsements().of_cvms().tdx;
  return {{scheme, appraise_tdx(evidence, session_nonce, known, known.references)}};
}

}  // namespace atls
