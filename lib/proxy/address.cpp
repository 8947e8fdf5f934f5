#include "proxy/address.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <sys/un.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr std::string_view unix_prefix = "unix:";
constexpr std::string_view activated_prefix = "systemd:";
constexpr std::string_view original_destination_text = "original-destination";

failure not_an_address(std::string_view text, const char* others) {
  return {errc::config_invalid, "\"" + std::string(text) +
                                    "\" is not an address; expected \"host:port\", such as "
                                    "\"127.0.0.1:8080\" or \"[::1]:8080\", \"unix:/path\", "
                                    "\"unix:@abstract\" or " +
                                    others};
}

// What both sides of a tunnel may have.
std::optional<address> parse_common(std::string_view text) {
  address out;
  if (text.starts_with(unix_prefix)) {
    out.kind = address::scheme::unix_socket;
    out.host = text.substr(unix_prefix.size());
    const bool fits = out.host.size() > 1 && out.host.size() < sizeof(sockaddr_un::sun_path);
    const bool is_one = out.host.starts_with('/') || out.host.starts_with('@');
    return fits && is_one ? std::optional(out) : std::nullopt;
  }
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    out.host = text.substr(0, colon);
    out.port = text.substr(colon + 1);
  }
  if (out.host.starts_with('[') && out.host.ends_with(']')) {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    out.host.clear();
  }
  if (out.host.empty() || !parse_number(out.port, 65535)) {
    return std::nullopt;
  }
  return out;
}

// An IPv4 address that is written as IPv6, as the kernel sees it.
asio::ip::address unmapped(const asio::ip::address& ip) {
  if (ip.is_v6() && ip.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6());
  }
  return ip;
}

// A socket at "[::]" is for both families unless the system says otherwise (ipv6(7), bindv6only).
bool covers(const asio::ip::address& all, const asio::ip::address& one) {
  return all.is_unspecified() && (all.is_v6() || one.is_v4());
}

// Of "unix:...": two paths of one file are one text.
std::string canonical(const std::string& text) {
  if (!text.starts_with("unix:/")) {
    return text;
  }
  const auto path = std::filesystem::path(text.substr(unix_prefix.size())).lexically_normal();
  std::error_code ec;
  const auto directory = std::filesystem::canonical(path.parent_path(), ec);
  return ec ? path.string() : (directory / path.filename()).string();
}

}  // namespace

result<address> address::parse_listen(std::string_view text) {
  if (text.starts_with(activated_prefix) && text.size() > activated_prefix.size()) {
    return address{scheme::activated, std::string(text.substr(activated_prefix.size())), {}};
  }
  if (auto out = parse_common(text)) {
    return std::move(*out);
  }
  return not_an_address(text, "\"systemd:name\"");
}

result<address> address::parse_target(std::string_view text) {
  if (text == original_destination_text) {
    return address{scheme::original_destination, {}, {}};
  }
  if (auto out = parse_common(text)) {
    return std::move(*out);
  }
  return not_an_address(text, "\"original-destination\"");
}

std::string address::text() const {
  switch (kind) {
    case scheme::tcp:
      return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + port;
    case scheme::unix_socket:
      return std::string(unix_prefix) + host;
    case scheme::activated:
      return std::string(activated_prefix) + host;
    default:
      return std::string(original_destination_text);
  }
}

std::optional<stream_protocol::endpoint> address::numeric() const {
  if (kind == scheme::unix_socket) {
    std::string path = host;
    if (path.starts_with('@')) {
      path[0] = '\0';
    }
    return asio::local::stream_protocol::endpoint(path);
  }
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(host, ec);
  const auto number = parse_number(port, 65535);
  if (kind != scheme::tcp || ec || !number) {
    return std::nullopt;
  }
  return tcp::endpoint(ip, static_cast<asio::ip::port_type>(*number));
}

// Every endpoint that the text itself names.
std::vector<stream_protocol::endpoint> address::named() const {
  if (kind == scheme::tcp && host == "localhost") {
    return {*address{kind, "127.0.0.1", port}.numeric(), *address{kind, "::1", port}.numeric()};
  }
  const auto known = numeric();
  return known ? std::vector{*known} : std::vector<stream_protocol::endpoint>();
}

bool address::overlaps(const address& other) const {
  const auto mine = named();
  const auto theirs = other.named();
  if (mine.empty() || theirs.empty()) {
    return kind == other.kind && host == other.host && port == other.port;
  }
  return std::ranges::any_of(mine, [&](const auto& one) {
    return std::ranges::any_of(theirs, [&](const auto& two) { return overlap(one, two); });
  });
}

bool address::is_local() const {
  if (kind == scheme::unix_socket || kind == scheme::activated) {
    return true;
  }
  boost::system::error_code ec;
  const auto ip = boost::asio::ip::make_address(host, ec);
  return kind == scheme::tcp && (ec ? host == "localhost" : ip.is_loopback());
}

bool is_local(const stream_protocol::endpoint& endpoint) {
  const auto ip = to_ip(endpoint);
  return ip ? ip->address().is_loopback() : endpoint.protocol().family() == AF_UNIX;
}

bool overlap(const stream_protocol::endpoint& one, const stream_protocol::endpoint& other) {
  const auto a = to_ip(one);
  const auto b = to_ip(other);
  if (!a || !b) {
    return !a && !b && canonical(to_text(one)) == canonical(to_text(other));
  }
  const auto here = a->address();
  const auto there = b->address();
  return a->port() == b->port() && a->port() != 0 &&
         (here == there || covers(here, there) || covers(there, here));
}

std::optional<tcp::endpoint> to_ip(const stream_protocol::endpoint& endpoint) {
  const auto family = endpoint.protocol().family();
  if (family != AF_INET && family != AF_INET6) {
    return std::nullopt;
  }
  tcp::endpoint ip;
  ip.resize(endpoint.size());
  std::memcpy(ip.data(), endpoint.data(), endpoint.size());
  ip.address(unmapped(ip.address()));
  return ip;
}

std::optional<address> to_address(const stream_protocol::endpoint& endpoint) {
  const auto ip = to_ip(endpoint);
  if (!ip) {
    return std::nullopt;
  }
  return address{address::scheme::tcp, ip->address().to_string(), std::to_string(ip->port())};
}

std::string to_text(const stream_protocol::endpoint& endpoint) {
  if (const auto ip = to_address(endpoint)) {
    return ip->text();
  }
  const auto* const un = reinterpret_cast<const sockaddr_un*>(endpoint.data());
  const auto size = endpoint.size();
  constexpr auto offset = offsetof(sockaddr_un, sun_path);
  if (endpoint.protocol().family() != AF_UNIX || size <= offset) {
    return "unix";
  }
  std::string path(un->sun_path, size - offset);
  if (path.front() == '\0') {
    path.front() = '@';
  } else {
    path = path.c_str();
  }
  return std::string(unix_prefix) + path;
}

}  // namespace atls::proxy
