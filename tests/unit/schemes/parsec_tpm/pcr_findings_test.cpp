#include "schemes/parsec_tpm/pcr_findings.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

const bytes kid(33, 1);

bytes value(std::uint8_t of) {
  return bytes(32, of);
}

// PCRs 0, 4 and 7 of a class.
parsec_tpm_endorsements::reference_values reference(std::uint8_t class_id, std::uint8_t pcr0,
                                                    std::uint8_t pcr4, std::uint8_t pcr7) {
  return {bytes(16, class_id),
          {{{0, tpm_hash::sha256}, value(pcr0)},
           {{4, tpm_hash::sha256}, value(pcr4)},
           {{7, tpm_hash::sha256}, value(pcr7)}}};
}

const std::string first_class = "01010101-0101-0101-0101-010101010101";

std::string describe(const std::vector<std::uint8_t>& found, const parsec_tpm_endorsements& known,
                     const char* pcrs = "sha256:0,4,7") {
  std::vector<bytes> values;
  for (const auto of : found) {
    values.push_back(value(of));
  }
  return describe_pcrs(parse_pcr_selection(pcrs).value(), pcr_digest(tpm_hash::sha256, values), kid,
                       known);
}

std::string hex_digest(std::uint8_t a, std::uint8_t b, std::uint8_t c) {
  return to_hex(pcr_digest(tpm_hash::sha256, {value(a), value(b), value(c)}));
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("without reference values only the quote can be told", "[verifier]") {
  CHECK(describe({1, 2, 3}, {}) == "quoted sha256:0,4,7, digest " + hex_digest(1, 2, 3));
  CHECK(describe({}, {}, "sha256:0") ==
        "quoted sha256:0, digest " + to_hex(pcr_digest(tpm_hash::sha256, {})));
}

TEST_CASE("one set of reference values tells the digest, not the PCR", "[verifier]") {
  parsec_tpm_endorsements known;
  known.references = {reference(1, 1, 2, 3)};
  CHECK(describe({1, 9, 3}, known) == "quoted sha256:0,4,7, digest " + hex_digest(1, 9, 3) +
                                          "; reference values of class " + first_class +
                                          " expect digest " + hex_digest(1, 2, 3));
  CHECK(holds(describe({1, 2, 3}, known), first_class + " expect this digest"));
  CHECK(holds(describe({1, 2, 3, 4}, known, "sha256:0,4,7,9"), first_class + " have no PCR 9"));
}

TEST_CASE("several sets tell the PCRs, where a mixture of them was quoted", "[verifier]") {
  parsec_tpm_endorsements known;
  known.references = {reference(1, 1, 2, 3), reference(1, 1, 20, 30)};
  const auto pcr = [](const char* number, std::uint8_t expected, std::uint8_t found) {
    return std::string(", PCR ") + number + " " + to_hex(value(expected)) + " and not " +
           to_hex(value(found));
  };
  // The boot loader's PCR of one, the rest of the other.
  const auto mixture = describe({1, 20, 3}, known);
  CHECK(holds(mixture, "expect digest " + hex_digest(1, 2, 3) + pcr("4", 2, 20)));
  CHECK(holds(mixture, "expect digest " + hex_digest(1, 20, 30) + pcr("7", 30, 3)));
  CHECK_FALSE(holds(mixture, "PCR 0"));
  // All of the second, which the Verifier does not know, it seems.
  const auto second = describe({1, 20, 30}, known);
  CHECK(holds(second, "expect digest " + hex_digest(1, 2, 3) + pcr("4", 2, 20) + pcr("7", 3, 30)));
  CHECK(second.ends_with("expect this digest"));
  // What none of them knows is not guessed at.
  CHECK_FALSE(holds(describe({1, 99, 3}, known), "PCR"));
}

TEST_CASE("a trust anchor tells whose reference values count", "[verifier]") {
  parsec_tpm_endorsements known;
  known.references = {reference(1, 1, 2, 3), reference(2, 4, 5, 6)};
  CHECK(holds(describe({1, 9, 3}, known), "02020202-"));
  known.trust_anchors = {{bytes(16, 1), kid, {}}};
  const auto text = describe({1, 9, 3}, known);
  CHECK(holds(text, first_class));
  CHECK_FALSE(holds(text, "02020202-"));
}

TEST_CASE("neither the text nor the search grows with what is known", "[verifier]") {
  parsec_tpm_endorsements known;
  for (std::uint8_t i = 0; i < 100; ++i) {
    known.references.push_back(reference(1, i, i, i));
  }
  const auto text = describe({1, 2, 3}, known);  // one of a million mixtures
  CHECK(text.size() < 1000);
  CHECK_FALSE(holds(text, "PCR"));
}
