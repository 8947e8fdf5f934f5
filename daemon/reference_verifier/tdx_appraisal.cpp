#include "reference_verifier/tdx_appraisal.hpp"

#include "core/certificates.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/tdx/facts.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::string_view scheme = tdx_scheme::submodule;

struct authentic_evidence {
  tdx_evidence content;
  std::string tcb_status;
};

result<authentic_evidence> authenticate(bytes_view evidence, bytes_view nonce,
                                        const cvm_endorsements& known) {
  authentic_evidence out;
  { ATLS_TRY(out.content, tdx_evidence::parse(evidence)); }
  const auto& [encoded, quote, platform] = out.content;
  const auto collateral =
      std::ranges::find(known.tdx.collateral, platform.fmspc, &tdx_collateral::fmspc);
  if (collateral == known.tdx.collateral.end()) {
    return failure(errc::endorsement_missing,
                   "no collateral for platforms of FMSPC " + to_hex(platform.fmspc));
  }
  ATLS_CHECK(collateral->check(known.tdx.roots, std::chrono::system_clock::now()));
  const auto chain = certificates_from_pem(quote.pck_chain);
  ATLS_CHECK(check_chain(chain.front().get(), chain, known.tdx.roots, collateral->revoked()));
  ATLS_CHECK(check_signatures(quote));
  if (!equal(quote.report.report_data, nonce)) {
    return failure(errc::report_data_mismatch, "the report data is not the session's nonce");
  }
  ATLS_TRY(out.tcb_status, collateral->tcb_status(quote, platform));
  return out;
}

ear_appraisal appraise_tdx(bytes_view evidence, bytes_view nonce, const cvm_endorsements& known) {
  using namespace verdict;
  const auto read = authenticate(evidence, nonce, known);
  if (!read) {
    return unauthentic(scheme, read.error().text());
  }
  const auto facts = facts_of(read->content).at("tdx");
  if (facts.at("attributes").at("debug").get<bool>()) {
    return refused(scheme, trust_claim::configuration, contraindicated, "the TD can be debugged");
  }
  const auto& accepted = known.tdx.accepted;
  if (std::ranges::find(accepted, read->tcb_status) == accepted.end()) {
    return refused(scheme, trust_claim::hardware, unsafe_hardware,
                   "the platform's TCB is " + read->tcb_status);
  }
  if (!matches_any(facts, known.tdx.references)) {
    return refused(scheme, trust_claim::executables, unrecognised_executables,
                   "MRTD " + facts.at("mrtd").get<std::string>() +
                       " and the runtime measurements are not among the reference values");
  }
  return affirming(scheme, {trust_claim::executables, trust_claim::hardware});
}

}  // namespace

std::string_view tdx_appraiser::media_type() const noexcept {
  return tdx_scheme::type;
}

verdicts tdx_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  return {{scheme, appraise_tdx(evidence, session_nonce, endorsements_->of_cvms())}};
}

}  // namespace atls
