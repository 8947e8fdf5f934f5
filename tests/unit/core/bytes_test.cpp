#include "core/bytes.hpp"

#include <catch2/catch.hpp>

using namespace atls;

TEST_CASE("base64 round trips in each spelling", "[core]") {
  // RFC 4648 section 10, and bytes that tell the alphabets apart.
  CHECK(to_base64(as_bytes("f")) == "Zg==");
  CHECK(to_base64(as_bytes("foobar")) == "Zm9vYmFy");
  const bytes data{0xfb, 0xff, 0xfe, 0x01};
  CHECK(to_base64(data) == "+//+AQ==");
  CHECK(to_base64url(data) == "-__-AQ");
  CHECK(to_base64url_padded(data) == "-__-AQ==");
  for (const auto* text : {"+//+AQ==", "+//+AQ", "-__-AQ", "-__-AQ=="}) {
    CHECK(from_any_base64(text) == data);
  }
  CHECK(from_base64url("-__-AQ") == data);
}

TEST_CASE("base64 refuses what an encoder would not write", "[core]") {
  CHECK_FALSE(from_base64url("-__-AQ=="));  // padding where none belongs
  CHECK_FALSE(from_base64url("+//+AQ"));    // the other alphabet
  CHECK_FALSE(from_base64url("Zh"));        // bits after the last byte
  CHECK_FALSE(from_base64url("A"));
  CHECK_FALSE(from_base64url("Zm9v\n"));
  CHECK_FALSE(from_any_base64("Zg="));
  CHECK_FALSE(from_any_base64("Zg=a"));
  CHECK_FALSE(from_any_base64("-_+/"));
  CHECK_FALSE(from_any_base64("===="));
}

TEST_CASE("hexadecimal", "[core]") {
  CHECK(to_hex(bytes{0x00, 0xaf}) == "00af");
  CHECK(from_hex("00Af") == bytes{0x00, 0xaf});
  CHECK_FALSE(from_hex("0"));
  CHECK_FALSE(from_hex("0g"));
}

TEST_CASE("a byte reader never reads past the end", "[core]") {
  const bytes data{0x00, 0x02, 0xaa, 0xbb, 0xcc};
  byte_reader in(data);
  const auto head = in.prefixed(2);
  REQUIRE(head);
  CHECK(equal(*head, bytes{0xaa, 0xbb}));
  CHECK_FALSE(in.u16());
  CHECK(in.u8() == 0xcc);
  CHECK(in.empty());
  byte_reader lying(bytes_view(data).subspan(1));
  CHECK_FALSE(lying.prefixed(1).value_or(bytes_view()).size() > 2);
}
