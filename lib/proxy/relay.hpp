// Bytes both ways between an application's socket and an admitted peer.
#pragma once

#include "proxy/admitted_peer.hpp"
#include "proxy/tls_stream.hpp"
#include "proxy/tunnel.hpp"

namespace atls::proxy {

struct relay_outcome {
  std::uint64_t bytes_sent = 0;      // to the peer
  std::uint64_t bytes_received = 0;  // from the peer
  /// Empty if both directions ended in order.
  std::optional<failure> problem;
};

/// Until both directions have ended. The end of one is passed on and leaves the other open
/// (half-close); each waits for its receiver before it reads on (back-pressure). On a failure both
/// sockets are closed, the application's with a reset, so that it cannot take the end for a proper
/// one.
awaitable<relay_outcome> relay(const admitted_peer& peer, std::shared_ptr<tls_stream> tls,
                               stream_socket application, time_limits limits);

}  // namespace atls::proxy
