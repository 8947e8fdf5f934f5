// Where a tunnel listens and where it connects to, as written in the configuration.
#pragma once

#include "proxy/async.hpp"

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

namespace atls::proxy {

struct address {
  enum class scheme {
    /// "host:port", "[ipv6]:port"
    tcp,
    /// "unix:/path", or "unix:@name" in the abstract namespace (unix(7))
    unix_socket,
    /// "systemd:name": a socket that the service manager passed (sd_listen_fds(3)); listen only
    activated,
    /// "original-destination": where the client wanted to go before the kernel redirected it
    /// (SO_ORIGINAL_DST, or the local address of a transparent socket); target only
    original_destination
  };

  scheme kind = scheme::tcp;
  /// The path or name, if it is not TCP.
  std::string host;
  std::string port;

  static result<address> parse_listen(std::string_view text);
  static result<address> parse_target(std::string_view text);
  /// As it is written.
  std::string text() const;

  /// As far as the text tells, nothing sent there leaves this host: a unix socket, a loopback
  /// address, "localhost". Of a socket of the service manager it tells nothing: true.
  bool is_local() const;

  /// As far as the texts tell, a client of one could reach the other: the same path or name, or the
  /// same port at the same IP address, at all of them, or at "localhost".
  bool overlaps(const address& other) const;

  /// What needs no name to be resolved: an IP address, a unix socket.
  std::optional<stream_protocol::endpoint> numeric() const;

 private:
  std::vector<stream_protocol::endpoint> named() const;
};

/// Where a socket listens, nothing sent there leaves this host.
bool is_local(const stream_protocol::endpoint& endpoint);
/// A client of one could reach the other: listening sockets at both would share the clients, or one
/// would take the other's. "[::]" takes IPv4's clients too. Port 0 is a port of its own each time.
bool overlap(const stream_protocol::endpoint& one, const stream_protocol::endpoint& other);

/// "address:port", "unix:..." or "unix" for an unnamed socket.
std::string to_text(const stream_protocol::endpoint& endpoint);
/// Nothing if it is not TCP over IP. An IPv4 client of a socket that serves both is one of IPv4
/// (RFC 4291 section 2.5.5.2).
std::optional<boost::asio::ip::tcp::endpoint> to_ip(const stream_protocol::endpoint& endpoint);
/// The same address again; nothing if it is not TCP over IP.
std::optional<address> to_address(const stream_protocol::endpoint& endpoint);

}  // namespace atls::proxy
