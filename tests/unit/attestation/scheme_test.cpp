#include "attestation/scheme.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

result<attestation_scheme> read(const char* hex) {
  const bytes data = from_hex(hex).value();
  byte_reader in(data);
  return attestation_scheme::read(in);
}

}  // namespace

TEST_CASE("schemes are encoded as the draft says", "[attestation]") {
  CHECK(to_hex(attestation_scheme::evidence("a/b").encoded()) == "00010003612f62");
  CHECK(to_hex(attestation_scheme::result_of("v.example").encoded()) == "010009762e6578616d706c65");
}

TEST_CASE("what was read is told as it was written", "[attestation]") {
  CHECK(read("00010003612f62").value() == attestation_scheme::evidence("a/b"));
  CHECK(read("00010003612f62").value().name() == "a/b");
  CHECK(read("00000107").value().name() == "content-format 263");
  const auto passport = read("010009762e6578616d706c65").value();
  CHECK(passport.model() == attestation_model::passport);
  CHECK(passport.text() == "result of v.example");
  CHECK(text_of({passport, attestation_scheme::evidence("a/b")}) == "result of v.example, a/b");
  CHECK(text_of({}) == "none");
}

TEST_CASE("one scheme is read, and what follows is left", "[attestation]") {
  const bytes data = from_hex("0000010700010003612f62").value();
  byte_reader in(data);
  CHECK(attestation_scheme::read(in).value().name() == "content-format 263");
  CHECK(attestation_scheme::read(in).value().name() == "a/b");
  CHECK(in.empty());
}

TEST_CASE("a scheme that ends early or is of an unknown kind is malformed", "[attestation]") {
  for (const auto* bad : {"", "00", "0000", "000001", "0001", "00010003612f", "0002", "01", "0100",
                          "010003612f", "02", "ff00"}) {
    INFO(bad);
    CHECK(read(bad).error().code == errc::extension_malformed);
  }
}
