// One configured way from a listener to a target.
#pragma once

#include "tls/context.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace atls::proxy {

/// How long each phase of a connection may take.
struct time_limits {
  std::chrono::milliseconds connect{5000};
  std::chrono::milliseconds handshake{15000};
  /// No byte in either direction.
  std::chrono::milliseconds idle{3600'000};
  /// No byte while one direction has ended.
  std::chrono::milliseconds half_closed{60'000};
};

struct host_and_port {
  std::string host;
  std::string port;

  /// "host:port", "[ipv6]:port".
  static result<host_and_port> parse(std::string_view text);
  std::string text() const;
};

/// Immutable; shared by its connections. An egress tunnel takes plaintext and speaks TLS to its
/// target, an ingress tunnel the other way round.
struct tunnel {
  std::string name;
  host_and_port listen;
  host_and_port target;
  std::shared_ptr<const tls::context> tls;
  time_limits limits;

  bool is_egress() const noexcept { return tls->configured().role == tls::role::client; }
};

}  // namespace atls::proxy
