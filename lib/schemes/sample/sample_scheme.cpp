#include "schemes/sample/sample_scheme.hpp"

#include "formats/ear.hpp"

namespace atls {
namespace {

constexpr std::string_view tee = "sample";

struct sample_evidence {
  std::string svn;
  bytes report_data;
};

failure malformed(std::string why) {
  return {errc::evidence_malformed, "sample TEE: " + std::move(why)};
}

result<sample_evidence> parse(bytes_view evidence) {
  if (evidence.size() > sample_scheme::longest_bytes) {
    return malformed("found " + std::to_string(evidence.size()) + " bytes, expected " +
                     std::to_string(sample_scheme::longest_bytes) + " at most");
  }
  ATLS_TRY(const auto document, parse_json(as_text(evidence), errc::evidence_malformed));
  if (!document.is_object()) {
    return malformed("found JSON that is no object");
  }
  auto svn = string_member(document, "svn");
  const auto text = string_member(document, "report_data");
  if (!svn || !text) {
    return malformed("expected text as \"svn\" and \"report_data\"");
  }
  // One spelling only: the Verifier repeats the text as it is.
  auto report_data = from_any_base64(*text);
  if (!report_data || to_base64(*report_data) != *text) {
    return malformed("\"report_data\" is not base64 (RFC 4648 section 4)");
  }
  return sample_evidence{std::move(*svn), std::move(*report_data)};
}

json facts_of(const sample_evidence& read) {
  return {{"type", sample_scheme::type},
          {tee, {{"svn", read.svn}, {"report_data", to_hex(read.report_data)}}}};
}

json document_of(std::string_view svn, bytes_view report_data) {
  return {{"svn", svn}, {"report_data", to_base64(report_data)}};
}

}  // namespace

bytes sample_scheme::encode(bytes_view report_data) {
  return to_bytes(as_bytes(document_of("1", report_data).dump()));
}

result<statement> sample_scheme::check(bytes_view evidence,
                                       const evidence_expectations& expected) const {
  ATLS_TRY(const auto read, parse(evidence));
  if (!equal(read.report_data, expected.binder)) {
    return failure(errc::report_data_mismatch,
                   "found " + to_hex(read.report_data) + ", expected " + to_hex(expected.binder));
  }
  return statement{std::string(type), to_bytes(evidence), {}, facts_of(read)};
}

result<json> sample_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto read, parse(evidence));
  return facts_of(read);
}

result_shape sample_scheme::shape() const {
  return {.submodules = {},
          .names_key = false,
          .tee = tee,
          .tee_affirmed = {trust_claim::executables, trust_claim::hardware}};
}

std::span<const fact> sample_scheme::facts() const {
  static const fact all[] = {
      {.name = "evidence.sample.svn",
       .type = any_text{},
       .meaning = "Security version of the sample TEE",
       .worth = "Nothing: signed by nobody, the peer writes what it likes",
       .is_evasive = true},
      {.name = "evidence.sample.report_data",
       .type = fresh_value{},
       .meaning = "What binds the Evidence to this handshake",
       .worth = "Always checked"},
  };
  return all;
}

std::span<const std::pair<errc, appraisal_step>> sample_scheme::reasons() const {
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {errc::report_data_mismatch, appraisal_step::binder},
  };
  return all;
}

bool sample_scheme::is_for(verifier_type verifier) const noexcept {
  return verifier != verifier_type::veraison;
}

tee_evidence sample_scheme::for_trustee(const statement& of) const {
  // Its check() has read the same.
  const auto read = parse(of.evidence).value();
  return {document_of(read.svn, read.report_data), to_base64(read.report_data)};
}

}  // namespace atls
