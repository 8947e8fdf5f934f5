#include "proxy/listen/proxy_protocol.hpp"

#include "proxy/address.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::proxy;
namespace asio = boost::asio;

namespace {

const connection_addresses real(asio::ip::tcp::endpoint(asio::ip::make_address("198.51.100.1"), 1),
                                asio::ip::tcp::endpoint(asio::ip::make_address("198.51.100.2"), 2));

bytes v2(const std::string& hex) {
  return from_hex("0d0a0d0a000d0a515549540a" + hex).value();
}

std::string source_of(bytes_view header) {
  const auto parsed = proxy_protocol::parse(header, real);
  return parsed ? to_text(parsed->source) + " " + to_text(parsed->destination)
                : parsed.error().text();
}

std::string source_of(const std::string& line) {
  return source_of(as_bytes(line));
}

}  // namespace

TEST_CASE("a PROXY protocol header gives the addresses", "[proxy]") {
  CHECK(source_of("PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n") ==
        "192.0.2.1:40000 192.0.2.2:443");
  CHECK(source_of("PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n") ==
        "[2001:db8::1]:40000 [2001:db8::2]:443");
  CHECK(source_of(v2("2111000cc0000201c00002029c4001bb")) == "192.0.2.1:40000 192.0.2.2:443");
  CHECK(source_of(v2("2121002420010db8000000000000000000000001"
                     "20010db80000000000000000000000029c4001bb")) ==
        "[2001:db8::1]:40000 [2001:db8::2]:443");
  // With values behind the addresses, which are dropped: an identity and a verdict of the hop's
  // own.
  CHECK(source_of(v2("21110018c0000201c00002029c4001bb"
                     "e0000961666669726d696e67")) == "192.0.2.1:40000 192.0.2.2:443");
}

TEST_CASE("a PROXY protocol header without addresses leaves the real ones", "[proxy]") {
  const auto expected = to_text(real.source) + " " + to_text(real.destination);
  CHECK(source_of("PROXY UNKNOWN\r\n") == expected);
  CHECK(source_of("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n") == expected);
  CHECK(source_of(v2("20000000")) == expected);
  CHECK(source_of(v2("20110000")) == expected);
  CHECK(source_of(v2("21000000")) == expected);
}

TEST_CASE("what is no PROXY protocol header is refused", "[proxy]") {
  for (const char* line :
       {"GET / HTTP/1.1\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 40000\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 40000 99999\r\n", "PROXY TCP4 2001:db8::1 ::2 1 2\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nmore"}) {
    INFO(line);
    CHECK(source_of(line).starts_with("proxy_header_malformed"));
  }
  CHECK(source_of("PROXY " + std::string(110, 'x') + "\r\n").starts_with("proxy_header_malformed"));
  for (const char* hex :
       {"2111000bc0000201c00002029c4001", "31110000", "22110000", "21110fff", "2111000c"}) {
    INFO(hex);
    CHECK(source_of(v2(hex)).starts_with("proxy_header_malformed"));
  }
}

TEST_CASE("a header cut anywhere asks for more, and never for what is behind it", "[proxy]") {
  for (const bytes& whole : {to_bytes(as_bytes("PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n")),
                             to_bytes(as_bytes("PROXY UNKNOWN\r\n")),
                             v2("2111000cc0000201c00002029c4001bb"), v2("20000000")}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto found = proxy_protocol::extent_of(bytes_view(whole).first(size));
      REQUIRE(found.has_value());
      CHECK_FALSE(found->is_complete);
      CHECK(found->bytes > size);
      CHECK(found->bytes <= whole.size());
    }
    CHECK(proxy_protocol::extent_of(whole)->is_complete);
  }
}
