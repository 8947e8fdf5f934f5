// An Evidence type that checks nothing, and pieces of it: for tests of what a Verifier is sent.
#pragma once

#include "schemes/evidence_scheme.hpp"

#include <memory>

namespace atls::test {

struct fake_scheme final : evidence_scheme {
  std::string_view media_type() const noexcept override { return type; }
  result<statement> check(bytes_view evidence, const evidence_expectations&) const override {
    return statement{type, to_bytes(evidence), {}, {}};
  }
  result<void> recheck(const statement&) const override { return {}; }
  result<json> read(bytes_view) const override { return json::object(); }
  result_shape shape() const override { return looks; }
  std::span<const fact> facts() const override { return {}; }
  std::span<const std::pair<errc, appraisal_step>> reasons() const override { return {}; }
  bool is_for(verifier_type what) const noexcept override { return what == verifier; }
  tee_evidence for_trustee(const statement&) const override { return tee; }

  std::string type = "application/x";
  verifier_type verifier = verifier_type::veraison;
  result_shape looks{
      .submodules = {{"FAKE", {2, 4}}}, .names_key = true, .tee = "snp", .tee_affirmed = {2, 4}};
  tee_evidence tee{json{{"attestation_report", "r"}}, "5a5a"};
};

inline statement fake_statement() {
  return {"application/x", bytes(9, 1), {}, {}};
}

}  // namespace atls::test
