#include "verifier/url.hpp"

#include <catch2/catch.hpp>

using namespace atls;

TEST_CASE("addresses of Verifiers", "[verifier]") {
  const auto plain = url::parse("http://127.0.0.1:8080").value();
  CHECK_FALSE(plain.is_https);
  CHECK(plain.origin() == "http://127.0.0.1:8080");
  const auto full = url::parse("https://[::1]/a/b/").value();
  CHECK(full.host == "::1");
  CHECK(full.authority() == "[::1]:443");
  CHECK(full.prefix == "/a/b");
  for (const auto* bad : {"", "verifier", "ftp://x", "http://", "http://x:0", "http://x:99999",
                          "http://x:", "http://u@x", "http://x/?q", "http://[::1", "http://x y"}) {
    INFO(bad);
    CHECK(url::parse(bad).error().code == errc::config_invalid);
  }
}
