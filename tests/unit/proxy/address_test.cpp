#include "proxy/address.hpp"

#include <catch2/catch.hpp>

using namespace atls::proxy;
using scheme = address::scheme;

TEST_CASE("addresses are written again as they were read", "[proxy]") {
  for (const char* text :
       {"127.0.0.1:8080", "[::1]:443", "example.test:1", "unix:/run/a.sock", "unix:@name"}) {
    CHECK(address::parse_listen(text).value().text() == text);
    CHECK(address::parse_target(text).value().text() == text);
  }
  CHECK(address::parse_listen("systemd:plain").value().text() == "systemd:plain");
  CHECK(address::parse_target("original-destination").value().text() == "original-destination");
}

TEST_CASE("what is no address is refused with what is expected", "[proxy]") {
  for (const char* text : {"", "8080", "host:", ":80", "host:65536", "host:http", "::1:80",
                           "unix:", "unix:@", "unix:relative", "[::1]"}) {
    INFO(text);
    CHECK(address::parse_listen(text).has_error());
    const auto target = address::parse_target(text);
    REQUIRE(target.has_error());
    CHECK_THAT(target.error().detail, Catch::Contains("host:port"));
  }
  CHECK(address::parse_target("systemd:plain").has_error());
  CHECK(address::parse_listen("original-destination").has_error());
  CHECK(address::parse_listen("unix:/" + std::string(200, 'x')).has_error());
}

TEST_CASE("only a name has to be resolved", "[proxy]") {
  CHECK(address::parse_target("127.0.0.1:80").value().numeric().has_value());
  CHECK(address::parse_target("[::1]:80").value().numeric().has_value());
  CHECK(address::parse_target("unix:@x").value().numeric().has_value());
  CHECK_FALSE(address::parse_target("localhost:80").value().numeric().has_value());
}

TEST_CASE("what stays on this host", "[proxy]") {
  for (const char* local :
       {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/a", "unix:@a"}) {
    CAPTURE(local);
    CHECK(address::parse_target(local).value().is_local());
  }
  for (const char* remote : {"0.0.0.0:1", "[::]:1", "192.0.2.1:1", "localhost.example:1"}) {
    CAPTURE(remote);
    CHECK_FALSE(address::parse_target(remote).value().is_local());
  }
}

TEST_CASE("endpoints are named for the log", "[proxy]") {
  const auto named = [](const char* text) {
    return to_text(*address::parse_target(text).value().numeric());
  };
  CHECK(named("127.0.0.1:80") == "127.0.0.1:80");
  CHECK(named("[::1]:80") == "[::1]:80");
  CHECK(named("unix:/run/a.sock") == "unix:/run/a.sock");
  CHECK(named("unix:@name") == "unix:@name");
  const auto again = to_address(*address::parse_target("[::1]:80").value().numeric());
  REQUIRE(again);
  CHECK(again->host == "::1");
  CHECK(again->port == "80");
}
