#include "proxy/listen/proxy_protocol.hpp"

#include "core/text.hpp"
#include "proxy/address.hpp"

#include <algorithm>
#include <array>
#include <netinet/in.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>

namespace atls::proxy::proxy_protocol {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::array<std::uint8_t, 12> signature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::string_view v1_prefix = "PROXY ";
constexpr std::size_t longest_v1 = 107;
constexpr std::size_t v2_prefix = 16;
// Addresses and a few values; nobody sends more.
constexpr std::size_t longest_v2 = 2048;

constexpr std::uint8_t v2_proxy = 0x21;
constexpr std::uint8_t v2_local = 0x20;
constexpr std::uint8_t tcp4 = 0x11;
constexpr std::uint8_t tcp6 = 0x21;
constexpr std::uint8_t unspecified = 0x00;

constexpr std::uint8_t tlv_ssl = 0x20;
constexpr std::uint8_t tlv_ssl_version = 0x21;
constexpr std::uint8_t tlv_ssl_cn = 0x22;
constexpr std::uint8_t client_ssl = 0x01;
constexpr std::uint8_t client_cert_conn = 0x02;

failure malformed(const std::string& what) {
  return {errc::proxy_header_malformed, what};
}

void put16(bytes& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value));
}

void put_tlv(bytes& to, std::uint8_t type, bytes_view value) {
  to.push_back(type);
  put16(to, value.size());
  to.insert(to.end(), value.begin(), value.end());
}

bytes ssl_value(const admitted_peer& peer) {
  const bool has_certificate = !peer.name().empty() || peer.attested();
  bytes out = {static_cast<std::uint8_t>(client_ssl | (has_certificate ? client_cert_conn : 0)), 0,
               0, 0, 0};
  put_tlv(out, tlv_ssl_version, as_bytes("TLSv1.3"));
  if (!peer.name().empty()) {
    put_tlv(out, tlv_ssl_cn, as_bytes(peer.name()));
  }
  return out;
}

template <class Address>
void put_addresses(bytes& to, const tcp::endpoint& source, const tcp::endpoint& destination,
                   Address get) {
  for (const auto* one : {&source, &destination}) {
    const auto raw = get(*one).to_bytes();
    to.insert(to.end(), raw.begin(), raw.end());
  }
  put16(to, source.port());
  put16(to, destination.port());
}

bytes header_v2(const connection_addresses& addresses, const admitted_peer& peer) {
  const auto source = to_ip(addresses.source);
  const auto destination = to_ip(addresses.destination);
  bytes rest;
  std::uint8_t family = unspecified;
  if (source && destination && source->protocol() == destination->protocol()) {
    if (source->address().is_v4()) {
      family = tcp4;
      put_addresses(rest, *source, *destination, [](const auto& e) { return e.address().to_v4(); });
    } else {
      family = tcp6;
      put_addresses(rest, *source, *destination, [](const auto& e) { return e.address().to_v6(); });
    }
  }
  put_tlv(rest, tlv_ssl, ssl_value(peer));
  put_tlv(rest, tlv_verdict, as_bytes(peer.attested() ? "affirming" : "unattested"));
  if (peer.attested() && !peer.attested()->instance().empty()) {
    put_tlv(rest, tlv_kid, peer.attested()->instance());
  }
  bytes out(signature.begin(), signature.end());
  out.push_back(v2_proxy);
  out.push_back(family);
  put16(out, rest.size());
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

bytes header_v1(const connection_addresses& addresses) {
  const auto source = to_ip(addresses.source);
  const auto destination = to_ip(addresses.destination);
  if (!source || !destination || source->protocol() != destination->protocol()) {
    return to_bytes(as_bytes("PROXY UNKNOWN\r\n"));
  }
  const std::string text =
      std::string("PROXY ") + (source->address().is_v4() ? "TCP4 " : "TCP6 ") +
      source->address().to_string() + " " + destination->address().to_string() + " " +
      std::to_string(source->port()) + " " + std::to_string(destination->port()) + "\r\n";
  return to_bytes(as_bytes(text));
}

result<connection_addresses> parse_v1(std::string_view line, const connection_addresses& real) {
  if (!line.ends_with("\r\n")) {
    return malformed("the line does not end in CR LF");
  }
  const auto words = split(line.substr(0, line.size() - 2), ' ');
  if (words.size() >= 2 && words[1] == "UNKNOWN") {
    return real;
  }
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) {
    return malformed("expected \"PROXY TCP4|TCP6 source destination port port\"");
  }
  const auto endpoint = [&](std::string_view ip, std::string_view port) -> result<tcp::endpoint> {
    error_code ec;
    const auto address = asio::ip::make_address(std::string(ip), ec);
    const auto number = parse_number(port, 65535);
    if (ec || !number || address.is_v4() != (words[1] == "TCP4")) {
      return malformed("an address or port is not one");
    }
    return tcp::endpoint(address, static_cast<asio::ip::port_type>(*number));
  };
  ATLS_TRY(const auto source, endpoint(words[2], words[4]));
  ATLS_TRY(const auto destination, endpoint(words[3], words[5]));
  return connection_addresses{source, destination};
}

template <class Ip>
connection_addresses addresses_at(bytes_view at) {
  typename Ip::bytes_type source{};
  typename Ip::bytes_type destination{};
  std::memcpy(source.data(), at.data(), source.size());
  std::memcpy(destination.data(), at.data() + source.size(), source.size());
  const auto ports = at.subspan(2 * source.size());
  const auto port = [&](std::size_t i) {
    return static_cast<asio::ip::port_type>(ports[i] << 8 | ports[i + 1]);
  };
  return {tcp::endpoint(Ip(source), port(0)), tcp::endpoint(Ip(destination), port(2))};
}

result<connection_addresses> parse_v2(bytes_view whole, const connection_addresses& real) {
  const auto command = whole[12];
  const auto family = whole[13];
  const auto rest = whole.subspan(v2_prefix);
  if (command == v2_local) {
    return real;
  }
  if (command != v2_proxy) {
    return malformed("neither LOCAL nor PROXY of version 2");
  }
  if (family == tcp4 && rest.size() >= 12) {
    return addresses_at<asio::ip::address_v4>(rest);
  }
  if (family == tcp6 && rest.size() >= 36) {
    return addresses_at<asio::ip::address_v6>(rest);
  }
  if (family == tcp4 || family == tcp6) {
    return malformed("too short for its addresses");
  }
  return real;
}

}  // namespace

bytes header(version v, const connection_addresses& addresses, const admitted_peer& peer) {
  return v == version::v1 ? header_v1(addresses) : header_v2(addresses, peer);
}

result<extent> extent_of(bytes_view begun) {
  const auto known = std::min(begun.size(), signature.size());
  if (std::equal(begun.begin(), begun.begin() + static_cast<std::ptrdiff_t>(known),
                 signature.begin())) {
    if (begun.size() < v2_prefix) {
      // The other version's shortest line is between the two.
      return extent{begun.size() < signature.size() ? signature.size() : v2_prefix, false};
    }
    const std::size_t all = v2_prefix + static_cast<std::size_t>(begun[14] << 8 | begun[15]);
    if (all > longest_v2) {
      return malformed("longer than " + std::to_string(longest_v2) + " bytes");
    }
    return extent{all, begun.size() >= all};
  }
  const std::string_view text(reinterpret_cast<const char*>(begun.data()), begun.size());
  if (text.substr(0, v1_prefix.size()) != v1_prefix.substr(0, text.size())) {
    return malformed("the connection does not begin with a header");
  }
  if (const auto end = text.find('\n'); end != std::string_view::npos) {
    return extent{end + 1, true};
  }
  if (text.size() >= longest_v1) {
    return malformed("a line of more than 107 bytes");
  }
  // Byte by byte: what is behind the line is not ours.
  return extent{std::max(signature.size(), text.size() + 1), false};
}

result<connection_addresses> parse(bytes_view whole, const connection_addresses& real) {
  ATLS_TRY(const auto found, extent_of(whole));
  if (!found.is_complete || found.bytes != whole.size()) {
    return malformed("not one whole header");
  }
  return whole.front() == signature.front()
             ? parse_v2(whole, real)
             : parse_v1({reinterpret_cast<const char*>(whole.data()), whole.size()}, real);
}

awaitable<result<connection_addresses>> receive(stream_socket& from, connection_addresses real,
                                                steady_time deadline) {
  const time_limit limit(from.get_executor(), deadline, [&from] {
    error_code ignored;
    from.cancel(ignored);
  });
  bytes got;
  for (;;) {
    const auto wanted = extent_of(got);
    if (!wanted) {
      co_return wanted.error();
    }
    if (wanted->is_complete) {
      break;
    }
    const auto had = got.size();
    got.resize(wanted->bytes);
    error_code ec;
    co_await asio::async_read(from, asio::buffer(got.data() + had, got.size() - had),
                              resume_with(ec));
    if (limit.has_expired()) {
      co_return failure(errc::handshake_timeout, "no PROXY protocol header");
    }
    if (ec) {
      co_return failure(errc::peer_closed, "before its PROXY protocol header: " + ec.message());
    }
  }
  co_return parse(got, real);
}

}  // namespace atls::proxy::proxy_protocol
