// A whole Evidence type, to show what one takes: Evidence, its checks, its facts, who presents it
// and who appraises it. Its "signature" is a colour that everybody knows.
#pragma once

#include "attestation/presenter.hpp"
#include "formats/cmw.hpp"
#include "reference_verifier/evidence_appraiser.hpp"
#include "schemes/table.hpp"

namespace atls::test {

/// {"binder": hex, "color": text}.
struct toy_evidence {
  static constexpr std::string_view media_type = "application/vnd.example.toy+json";
  static constexpr std::string_view submodule = "TOY";

  std::string color;
  bytes binder;

  static result<toy_evidence> decode(bytes_view evidence) {
    ATLS_TRY(const json read, parse_json(as_text(evidence), errc::evidence_malformed));
    const auto color = read.is_object() ? string_member(read, "color") : std::nullopt;
    auto binder = from_hex(read.is_object() ? string_member(read, "binder").value_or("x") : "x");
    if (!color || !binder) {
      return failure(errc::evidence_malformed, "no colour or no binder");
    }
    return toy_evidence{*color, std::move(*binder)};
  }
  bytes encode() const {
    return to_bytes(as_bytes(json{{"binder", to_hex(binder)}, {"color", color}}.dump()));
  }
};

class toy_scheme final : public evidence_scheme {
 public:
  std::string_view media_type() const noexcept override { return toy_evidence::media_type; }

  result<statement> check(bytes_view evidence,
                          const evidence_expectations& expected) const override {
    ATLS_TRY(const auto read, toy_evidence::decode(evidence));
    if (!equal(read.binder, expected.binder)) {
      return failure(errc::report_data_mismatch);
    }
    return statement{std::string(media_type()), to_bytes(evidence), {}, facts_of(read)};
  }
  result<void> recheck(const statement&) const override { return {}; }
  result<json> read(bytes_view evidence) const override {
    ATLS_TRY(const auto read, toy_evidence::decode(evidence));
    return facts_of(read);
  }
  result_shape shape() const override { return {.submodules = {{toy_evidence::submodule, {}}}}; }
  std::span<const fact> facts() const override {
    static const fact all[] = {{.name = "evidence.toy.color",
                                .type = one_of{{"red", "green"}},
                                .meaning = "The toy's colour",
                                .worth = "Nothing"}};
    return all;
  }
  std::span<const std::pair<errc, appraisal_step>> reasons() const override {
    static constexpr std::pair<errc, appraisal_step> all[] = {
        {errc::report_data_mismatch, appraisal_step::binder}};
    return all;
  }

 private:
  json facts_of(const toy_evidence& read) const {
    return {{"type", media_type()}, {"toy", {{"color", read.color}}}};
  }
};

/// A machine of one colour.
class toy_presenter final : public presenter {
 public:
  explicit toy_presenter(std::string color) : color_(std::move(color)) {}

  attestation_schemes offers() const override {
    return {attestation_scheme::evidence(toy_evidence::media_type)};
  }
  result<bytes> present(const attestation_scheme&, bytes_view binder, steady_time) override {
    return encode_cmw(toy_evidence::media_type, toy_evidence{color_, to_bytes(binder)}.encode());
  }
  result<void> check(steady_time) override { return {}; }
  bytes instance() const override { return {}; }
  json describe() const override { return {{"attester", "toy"}}; }

 private:
  const std::string color_;
};

/// Affirms what is red or green.
class toy_appraiser final : public evidence_appraiser {
 public:
  std::string_view media_type() const noexcept override { return toy_evidence::media_type; }
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override {
    const auto read = toy_evidence::decode(evidence);
    ear_appraisal out;
    const bool is_good = read && equal(read->binder, session_nonce) &&
                         (read->color == "red" || read->color == "green");
    out.status = is_good ? trust_tier::affirming : trust_tier::contraindicated;
    return {{toy_evidence::submodule, out}};
  }
};

}  // namespace atls::test
