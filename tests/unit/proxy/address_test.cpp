#include "proxy/address.hpp"

#include <unistd.h>

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

TEST_CASE("addresses whose clients could reach each other", "[proxy]") {
  const auto overlap = [](const char* one, const char* other) {
    CAPTURE(one, other);
    const auto a = address::parse_listen(one).value();
    const auto b = address::parse_listen(other).value();
    CHECK(a.overlaps(b) == b.overlaps(a));
    return a.overlaps(b);
  };
  CHECK(overlap("127.0.0.1:80", "127.0.0.1:80"));
  CHECK(overlap("127.0.0.1:80", "127.0.0.1:080"));
  CHECK(overlap("0.0.0.0:80", "192.0.2.1:80"));
  CHECK(overlap("[::]:80", "[::1]:80"));
  CHECK(overlap("[::]:80", "127.0.0.1:80"));
  CHECK(overlap("[::]:80", "0.0.0.0:80"));
  CHECK(overlap("[::ffff:127.0.0.1]:80", "127.0.0.1:80"));
  CHECK(overlap("[::ffff:0.0.0.0]:80", "127.0.0.1:80"));
  CHECK(overlap("localhost:80", "127.0.0.1:80"));
  CHECK(overlap("localhost:80", "[::1]:80"));
  CHECK(overlap("localhost:80", "0.0.0.0:80"));
  CHECK(overlap("name.example:80", "name.example:80"));
  CHECK(overlap("unix:/run/a", "unix:/run//b/../a"));
  CHECK(overlap("unix:/proc/self/a", ("unix:/proc/" + std::to_string(::getpid()) + "/a").c_str()));
  CHECK(overlap("unix:@a", "unix:@a"));
  CHECK(overlap("systemd:a", "systemd:a"));

  CHECK_FALSE(overlap("127.0.0.1:80", "127.0.0.1:81"));
  CHECK_FALSE(overlap("127.0.0.1:80", "127.0.0.2:80"));
  CHECK_FALSE(overlap("127.0.0.1:80", "[::1]:80"));
  CHECK_FALSE(overlap("0.0.0.0:80", "[::1]:80"));
  CHECK_FALSE(overlap("[::ffff:0.0.0.0]:80", "[::1]:80"));
  CHECK_FALSE(overlap("127.0.0.1:0", "127.0.0.1:0"));
  CHECK_FALSE(overlap("name.example:80", "127.0.0.1:80"));
  CHECK_FALSE(overlap("unix:/run/a", "unix:@run/a"));
  CHECK_FALSE(overlap("unix:/run/a", "unix:/run/b"));
  CHECK_FALSE(overlap("systemd:a", "systemd:b"));
  CHECK_FALSE(overlap("systemd:a", "unix:@a"));
}

TEST_CASE("sockets that only this host can reach", "[proxy]") {
  const auto local = [](const char* text) {
    return is_local(*address::parse_listen(text).value().numeric());
  };
  CHECK(local("127.0.0.1:1"));
  CHECK(local("[::1]:1"));
  CHECK(local("[::ffff:127.0.0.1]:1"));
  CHECK(local("unix:@a"));
  CHECK_FALSE(local("0.0.0.0:1"));
  CHECK_FALSE(local("[::]:1"));
  CHECK_FALSE(is_local(stream_protocol::endpoint()));
}
