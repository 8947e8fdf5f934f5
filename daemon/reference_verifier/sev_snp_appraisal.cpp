#include "reference_verifier/sev_snp_appraisal.hpp"

#include "reference_verifier/verdicts.hpp"
#include "schemes/sev_snp/facts.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"

namespace atls {
namespace {

constexpr std::string_view scheme = sev_snp_scheme::submodule;

result<sev_snp_evidence> authenticate(bytes_view evidence, bytes_view nonce,
                                      const cvm_endorsements& known) {
  ATLS_TRY(auto read, sev_snp_evidence::parse(evidence));
  std::vector<x509_ptr> between;
  between.push_back(std::move(read.certificates.intermediate));
  between.push_back(std::move(read.certificates.root));
  std::erase(between, nullptr);
  ATLS_CHECK(check_chain(read.endorsement().get(), between, known.snp.roots, known.snp.revoked));
  ATLS_CHECK(check_endorsed(read.report, read.endorsed_by));
  if (!equal(read.report.report_data, nonce)) {
    return failure(errc::report_data_mismatch, "the report data is not the session's nonce");
  }
  return read;
}

}  // namespace

ear_appraisal appraise_snp(bytes_view evidence, bytes_view nonce, const cvm_endorsements& known,
                           const std::vector<json>& references) {
  using namespace verdict;
  const auto read = authenticate(evidence, nonce, known);
  if (!read) {
    return unauthentic(scheme, read.error().text());
  }
  const auto facts = facts_of(*read).at("snp");
  if (facts.at("policy").at("debug").get<bool>()) {
    return refused(scheme, trust_claim::configuration, contraindicated,
                   "the guest can be debugged");
  }
  const auto tcb = tcb_from(read->report.reported_tcb, read->endorsed_by.product);
  if (!tcb.covers(known.snp.min_tcb)) {
    return refused(scheme, trust_claim::hardware, unsafe_hardware,
                   "its firmware is " + to_string(tcb) + ", expected at least " +
                       to_string(known.snp.min_tcb));
  }
  if (!matches_any(facts, references)) {
    return refused(scheme, trust_claim::runtime_opaque, contraindicated,
                   "measurement " + facts.at("measurement").get<std::string>() +
                       " is not among the reference values");
  }
  return affirming(scheme, {trust_claim::hardware, trust_claim::runtime_opaque});
}

std::string_view sev_snp_appraiser::media_type() const noexcept {
  return tsm_report::cbor_type;
}

verdicts sev_snp_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  const auto& known = endorsements().of_cvms();
  return {{scheme, appraise_snp(evidence, session_nonce, known, known.snp.references)}};
}

}  // namespace atls
