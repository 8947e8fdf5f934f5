#include "schemes/sample/sample_scheme.hpp"

#include "formats/ear.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace atls;

namespace {

const bytes binder(32, 0xb7);
const bytes other_binder(32, 0xb8);
// As lib/ does not make it: base64 of `binder`.
const std::string binder_text = "t7e3t7e3t7e3t7e3t7e3t7e3t7e3t7e3t7e3t7e3t7c=";

bytes evidence_of(const std::string& text) {
  return to_bytes(as_bytes(text));
}

result<statement> check(const bytes& evidence, const bytes& expected = binder) {
  return sample_scheme().check(evidence, {.binder = expected, .leaf_spki = {}});
}

errc refusal(const std::string& text) {
  const auto outcome = check(evidence_of(text));
  return outcome ? errc::ok : outcome.error().code;
}

std::string members(const std::string& svn, const std::string& report_data) {
  return "{\"svn\":" + svn + ",\"report_data\":" + report_data + "}";
}

}  // namespace

TEST_CASE("sample Evidence says what it is bound to", "[schemes][sample]") {
  const auto evidence = sample_scheme::encode(binder);
  CHECK(json::parse(as_text(evidence)) == json{{"svn", "1"}, {"report_data", binder_text}});
  const auto of = check(evidence).value();
  CHECK(of.media_type == "application/vnd.atlsd.sample-tee+json");
  CHECK(of.evidence == evidence);
  CHECK(of.instance.empty());
  CHECK(of.facts ==
        json{{"type", of.media_type}, {"sample", {{"svn", "1"}, {"report_data", to_hex(binder)}}}});
  CHECK(sample_scheme().recheck(of).has_value());
  CHECK(sample_scheme().read(evidence).value() == of.facts);
}

TEST_CASE("sample Evidence of another handshake is refused", "[schemes][sample]") {
  const auto refused = check(sample_scheme::encode(binder), other_binder).error();
  CHECK(refused.code == errc::report_data_mismatch);
  CHECK(refused.detail == "found " + to_hex(binder) + ", expected " + to_hex(other_binder));
  // Neither cut nor filled up: this TEE's report data has no size of its own.
  bytes padded = binder;
  padded.resize(64);
  for (const auto& changed : {padded, bytes(binder.begin(), binder.end() - 1), bytes()}) {
    CHECK(check(sample_scheme::encode(changed)).error().code == errc::report_data_mismatch);
  }
  // Who only reads it is not refused.
  CHECK(sample_scheme().read(sample_scheme::encode(other_binder)).has_value());
}

TEST_CASE("malformed sample Evidence is refused", "[schemes][sample]") {
  const std::string good = '"' + binder_text + '"';
  REQUIRE(refusal(members("\"1\"", good)) == errc::ok);
  for (const auto& text : {
           std::string(),
           std::string("null"),
           std::string("[]"),
           std::string("{}"),
           good,
           "{\"report_data\":" + good + "}",
           std::string("{\"svn\":\"1\"}"),
           members("1", good),
           members("null", good),
           members("\"1\"", "null"),
           members("\"1\"", "[183]"),
           members("\"\xff\"", good),
           members("\"1\"", good) + "{}",
           "{\"svn\":\"1\",\"svn\":\"2\",\"report_data\":" + good + "}",
           // Other spellings of the same bytes.
           members("\"1\"", '"' + binder_text.substr(0, binder_text.size() - 1) + '"'),
           members("\"1\"", '"' + binder_text + "\\n\""),
           members("\"1\"", "\"" + to_hex(binder) + "...\""),
           members("\"1\"", "\"-_-_\""),
       }) {
    CAPTURE(text);
    CHECK(refusal(text) == errc::evidence_malformed);
    CHECK(sample_scheme().read(evidence_of(text)).has_error());
  }
}

TEST_CASE("sample Evidence is bounded", "[schemes][sample]") {
  std::string text = members("\"1\"", '"' + binder_text + '"');
  text.insert(text.size() - 1, sample_scheme::longest_bytes - text.size(), ' ');
  REQUIRE(text.size() == sample_scheme::longest_bytes);
  CHECK(refusal(text) == errc::ok);
  const auto refused = check(evidence_of(text + ' ')).error();
  CHECK(refused.code == errc::evidence_malformed);
  CHECK(refused.detail == "sample TEE: found 1025 bytes, expected 1024 at most");
}

TEST_CASE("every cut and every changed byte of sample Evidence is refused or harmless",
          "[schemes][sample]") {
  const auto evidence = sample_scheme::encode(binder);
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    CAPTURE(i);
    CHECK(check(bytes(evidence.begin(), evidence.begin() + static_cast<std::ptrdiff_t>(i)))
              .error()
              .code == errc::evidence_malformed);
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto changed = evidence;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ (1u << bit));
      // What is still accepted differs in nothing but "svn", which nobody vouches for.
      if (const auto outcome = check(changed)) {
        CHECK(outcome->facts.at("sample").at("report_data") == to_hex(binder));
      }
    }
  }
}

TEST_CASE("what Trustee is asked about sample Evidence, and what it must answer",
          "[schemes][sample]") {
  const sample_scheme scheme;
  CHECK(scheme.is_for(verifier_type::trustee));
  CHECK(scheme.is_for(verifier_type::kbs));
  CHECK_FALSE(scheme.is_for(verifier_type::veraison));
  // Members that it does not know are the peer's own affair.
  const auto of =
      check(evidence_of("{\"report_data\":\"" + binder_text + "\",\"svn\":\"7\",\"x\":[]}"));
  const auto asked = scheme.for_trustee(of.value());
  CHECK(scheme.shape().tee == "sample");
  CHECK(asked.evidence == json{{"svn", "7"}, {"report_data", binder_text}});
  CHECK(asked.report_data == binder_text);

  const auto shape = scheme.shape();
  CHECK(shape.submodules.empty());
  CHECK_FALSE(shape.names_key);
  REQUIRE(shape.tee_affirmed.size() == 2);
  CHECK(trust_claims.at(shape.tee_affirmed[0]) == "executables");
  CHECK(trust_claims.at(shape.tee_affirmed[1]) == "hardware");
}

TEST_CASE("the facts and reasons of sample Evidence are described", "[schemes][sample]") {
  const sample_scheme scheme;
  const auto facts = json{{"evidence", check(sample_scheme::encode(binder)).value().facts}};
  for (const auto& one : scheme.facts()) {
    std::string pointer = "/" + std::string(one.name);
    std::ranges::replace(pointer, '.', '/');
    CAPTURE(pointer);
    CHECK(facts.contains(json::json_pointer(pointer)));
  }
  CHECK(scheme.facts().size() == facts["evidence"]["sample"].size());
  REQUIRE(scheme.reasons().size() == 1);
  CHECK(scheme.reasons()[0] == std::pair{errc::report_data_mismatch, appraisal_step::binder});
}
