#include "reference_verifier/session_nonce.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

std::string refusal(std::string_view query) {
  return session_nonce(query).error().detail;
}

}  // namespace

TEST_CASE("a session's nonce is the one that is given", "[daemon]") {
  const bytes nonce(32, 0xfb);
  CHECK(session_nonce("nonce=" + to_base64url(nonce)).value() == nonce);
  CHECK(session_nonce("nonce=" + to_base64url_padded(nonce)).value() == nonce);
  CHECK(session_nonce("x=1&nonce=-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s%3D").value() == nonce);
  CHECK(session_nonce("nonce=AAAAAAAAAAA").value() == bytes(8, 0));
  CHECK(session_nonce("nonce=" + to_base64url(bytes(64, 1))).value() == bytes(64, 1));
}

TEST_CASE("otherwise it is random", "[daemon]") {
  CHECK(session_nonce("").value().size() == 32);
  CHECK(session_nonce("").value() != session_nonce("").value());
  CHECK(session_nonce("nonceSize=8").value().size() == 8);
  CHECK(session_nonce("nonceSize=64").value().size() == 64);
}

TEST_CASE("a nonce that cannot be had is refused in Veraison's words", "[daemon]") {
  const std::string prefix = "failed handling nonce request: ";
  CHECK(refusal("nonce=AAAAAAAAAAA&nonceSize=8") ==
        prefix + "nonce and nonceSize are mutually exclusive");
  for (const auto* size : {"7", "65", "", "-8", "8x", "18446744073709551624"}) {
    INFO(size);
    CHECK(refusal(std::string("nonceSize=") + size) == prefix + "nonceSize must be in range 8..64");
  }
  // A "+" is a space in a query, whatever it meant.
  for (const auto* text :
       {"+_v7-_v7-_v7", "%2B_v7-_v7-_v7", "%2F_v7-_v7-_v7", "!", "AAAAAAAAAAA%"}) {
    INFO(text);
    CHECK(refusal(std::string("nonce=") + text) == prefix + "nonce must be valid base64");
  }
  CHECK(refusal("nonce=AAAA") == prefix + "nonce must be between 8 and 64 bytes long; got 3");
  CHECK(refusal("nonce=" + to_base64url(bytes(65, 0))) ==
        prefix + "nonce must be between 8 and 64 bytes long; got 65");
}
