#include "formats/url.hpp"

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
  CHECK(url::parse("HTTPS://Verifier.Example").value().origin() == "https://verifier.example:443");
  for (const auto* bad :
       {"", "verifier", "http", "https:", "ftp://x", "http://", "http://x:0", "http://x:99999",
        "http://x:", "http://u@x", "http://x/?q", "http://[::1", "http://x y"}) {
    INFO(bad);
    CHECK(url::parse(bad).error().code == errc::config_invalid);
  }
}

TEST_CASE("references are resolved as RFC 3986 section 5.4 has it", "[verifier]") {
  const auto at = url::parse("http://a").value();
  for (const auto& [reference, target] :
       {// Section 5.4.1. Those that name another origin are below, fragments are not sent.
        std::pair{"g", "/b/c/g"},
        {"./g", "/b/c/g"},
        {"g/", "/b/c/g/"},
        {"/g", "/g"},
        {"?y", "/b/c/d;p?y"},
        {"g?y", "/b/c/g?y"},
        {"#s", "/b/c/d;p?q"},
        {"g#s", "/b/c/g"},
        {"g?y#s", "/b/c/g?y"},
        {";x", "/b/c/;x"},
        {"g;x", "/b/c/g;x"},
        {"g;x?y#s", "/b/c/g;x?y"},
        {"", "/b/c/d;p?q"},
        {".", "/b/c/"},
        {"./", "/b/c/"},
        {"..", "/b/"},
        {"../", "/b/"},
        {"../g", "/b/g"},
        {"../..", "/"},
        {"../../", "/"},
        {"../../g", "/g"},
        // Section 5.4.2.
        {"../../../g", "/g"},
        {"../../../../g", "/g"},
        {"/./g", "/g"},
        {"/../g", "/g"},
        {"g.", "/b/c/g."},
        {".g", "/b/c/.g"},
        {"g..", "/b/c/g.."},
        {"..g", "/b/c/..g"},
        {"./../g", "/b/g"},
        {"./g/.", "/b/c/g/"},
        {"g/./h", "/b/c/g/h"},
        {"g/../h", "/b/c/h"},
        {"g;x=1/./y", "/b/c/g;x=1/y"},
        {"g;x=1/../y", "/b/c/y"},
        {"g?y/./x", "/b/c/g?y/./x"},
        {"g?y/../x", "/b/c/g?y/../x"},
        {"g#s/./x", "/b/c/g"},
        {"g#s/../x", "/b/c/g"}}) {
    INFO(reference);
    CHECK(at.resolve("/b/c/d;p?q", reference).value() == target);
  }
  for (const auto* elsewhere : {"g:h", "//g", "http:g"}) {
    INFO(elsewhere);
    CHECK(at.resolve("/b/c/d;p?q", elsewhere).error().code == errc::verifier_protocol);
  }
}

TEST_CASE("a reference stays in its origin, however that is spelt", "[verifier]") {
  const auto at = url::parse("http://v:80/prefix").value();
  const auto resolve = [&](const char* reference) {
    return at.resolve("/challenge-response/v1/newSession?nonce=AA", reference);
  };
  CHECK(resolve("session/1").value() == "/challenge-response/v1/session/1");
  for (const auto* same :
       {"http://v:80/x/1", "http://v/x/1", "http://v:/x/1", "HTTP://V/x/1", "hTTp://V:80/x/1#f",
        "//v/x/1", "//v:80/a/../x/1", "/x/1", "http://v/x/./1", "../../x/1"}) {
    INFO(same);
    CHECK(resolve(same).value() == "/x/1");
  }
  CHECK(resolve("http://v").value() == "/");
  CHECK(resolve("http://v?q").value() == "/?q");
  for (const auto* bad :
       {"http://w:80/x", "http://v:8080/x", "http://v:80.evil/x", "http://v.evil/x", "//evil/x",
        "https://v:80/x", "https://v/x", "http://v:80@evil/x", "http://evil#@v/x",
        "http://evil?@v/x", "http:///x", "http:x", "http:/x", "://v/x", "ftp://v/x",
        "session/1\r\nHost: evil", "/x y", "/\x7f"}) {
    INFO(bad);
    CHECK(resolve(bad).error().code == errc::verifier_protocol);
  }
  const auto https = url::parse("https://[::1]").value();
  CHECK(https.resolve("/a", "https://[::1]:443/b").value() == "/b");
  CHECK(https.resolve("/a", "HTTPS://[::1]/b").value() == "/b");
  CHECK(https.resolve("/a", "https://[::2]/b").has_error());
}
