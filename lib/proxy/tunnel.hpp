// One configured way from a listener to a target.
#pragma once

#include "proxy/address.hpp"
#include "proxy/listen/proxy_protocol.hpp"
#include "proxy/sockets.hpp"
#include "proxy/statistics.hpp"
#include "tls/context.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace atls::proxy {

/// How long each phase of a connection may take.
struct time_limits {
  std::chrono::milliseconds connect{5000};
  std::chrono::milliseconds handshake{15000};
  /// No byte in either direction. 0: never.
  std::chrono::milliseconds idle{3600'000};
  /// No byte while one direction has ended.
  std::chrono::milliseconds half_closed{60'000};
  /// For a refused peer to read the alert, from the last byte that it sent.
  std::chrono::milliseconds close{1000};
  /// Of a live connection's Attestation Result, counted from when it was issued: closed at an idle
  /// moment, and whatever moves. 0: never.
  std::chrono::milliseconds result_age{0};
  std::chrono::milliseconds hard_result_age{0};
};

/// Immutable; shared by its connections. An egress tunnel takes plaintext and speaks TLS to its
/// target, an ingress tunnel the other way round.
struct tunnel {
  std::string name;
  address listen;
  address target;
  std::shared_ptr<const tls::context> tls;
  time_limits limits;
  tcp_options tcp;
  std::shared_ptr<tunnel_statistics> statistics;
  /// Clients are told of by a PROXY protocol header that comes first; nobody else is served.
  bool accepts_proxy_header = false;
  /// Ingress: the application is told of the peer.
  proxy_protocol::version sends_proxy_header = proxy_protocol::version::none;
  /// The listener takes connections to any address that the kernel redirects (IP_TRANSPARENT).
  bool transparent = false;

  bool is_egress() const noexcept { return tls->configured().role == tls::role::client; }
  const char* role_name() const noexcept { return is_egress() ? "egress" : "ingress"; }
};

}  // namespace atls::proxy
