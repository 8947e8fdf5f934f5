#include "reference_verifier/sgx_appraisal.hpp"

#include "reference_verifier/intel_authentication.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/sgx/facts.hpp"
#include "schemes/sgx/sgx_scheme.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::string_view scheme = sgx_scheme::submodule;

ear_appraisal appraise_sgx(bytes_view evidence, bytes_view nonce, const intel_endorsements& known) {
  using namespace verdict;
  const auto read = sgx_evidence::parse(evidence);
  if (!read) {
    return unauthentic(scheme, read.error().text());
  }
  const auto tcb_status = authenticate(read->quote, read->platform, nonce, known);
  if (!tcb_status) {
    return unauthentic(scheme, tcb_status.error().text());
  }
  const auto facts = facts_of(*read).at("sgx");
  if (facts.at("attributes").at("debug").get<bool>()) {
    return refused(scheme, trust_claim::configuration, contraindicated,
                   "the enclave can be debugged");
  }
  if (std::ranges::find(known.accepted, *tcb_status) == known.accepted.end()) {
    return refused(scheme, trust_claim::hardware, unsafe_hardware,
                   "the platform's TCB is " + *tcb_status);
  }
  if (!matches_any(facts, known.references)) {
    return refused(scheme, trust_claim::executables, unrecognised_executables,
                   "MRENCLAVE " + facts.at("mrenclave").get<std::string>() +
                       " is not among the reference values, nor what signed it");
  }
  return affirming(scheme, {trust_claim::executables, trust_claim::hardware});
}

}  // namespace

std::string_view sgx_appraiser::media_type() const noexcept {
  return sgx_scheme::type;
}

verdicts sgx_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  return {{scheme, appraise_sgx(evidence, session_nonce, endorsements().of_cvms().sgx)}};
}

}  // namespace atls
