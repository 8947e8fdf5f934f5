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

  /// Nothing sent there leaves this host: a unix socket, a loopback address, "localhost"; a socket
  /// of the service manager is its own affair.
  bool is_local() const;

  /// What needs no name to be resolved: an IP address, a unix socket.
  std::optional<stream_protocol::endpoint> numeric() const;
};

/// "address:port", "unix:..." or "unix" for an unnamed socket.
std::string to_text(const stream_protocol::endpoint& endpoint);
/// Nothing if it is not TCP over IP.
std::optional<boost::asio::ip::tcp::endpoint> to_ip(const stream_protocol::endpoint& endpoint);
/// The same address again; nothing if it is not TCP over IP.
std::optional<address> to_address(const stream_protocol::endpoint& endpoint);

}  // namespace atls::proxy
