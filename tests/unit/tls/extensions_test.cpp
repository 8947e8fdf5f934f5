#include "tls/extensions.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::tls;

TEST_CASE("lists of Evidence types", "[tls]") {
  const auto body = encode_type_list({"a/b", "c/d"});
  CHECK(to_hex(body) == "0c010003612f62010003632f64");
  CHECK(parse_type_list(body).value() == evidence_types{"a/b", "c/d"});
  CHECK(parse_type_list(from_hex("03000107").value()).value() ==
        evidence_types{"content-format 263"});
  for (const auto* bad : {"", "00", "01", "0102", "0400010700", "04010003612f62", "030001",
                          "0300010700", "05010003612f"}) {
    INFO(bad);
    CHECK(parse_type_list(from_hex(bad).value()).error().code == errc::extension_malformed);
  }
}

TEST_CASE("one Evidence type", "[tls]") {
  CHECK(parse_type(encode_type("a/b")).value() == "a/b");
  for (const auto* bad : {"", "01", "0100", "010003612f", "010003612f6200", "02"}) {
    INFO(bad);
    CHECK(parse_type(from_hex(bad).value()).error().code == errc::extension_malformed);
  }
}

TEST_CASE("the attestation in a CertificateEntry", "[tls]") {
  CHECK(to_hex(encode_attestation(bytes{1, 2})) == "0000020102");
  CHECK(parse_attestation(encode_attestation(bytes{1, 2})).value() == bytes{1, 2});
  for (const auto* bad : {"", "0000", "000000", "00000201", "00000101ff", "ffffff01"}) {
    INFO(bad);
    CHECK(parse_attestation(from_hex(bad).value()).error().code == errc::extension_malformed);
  }
}
