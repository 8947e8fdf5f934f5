// One connection through a tunnel, from accept to its line in the access log.
#pragma once

#include "proxy/listen/admission.hpp"
#include "proxy/listen/quota.hpp"
#include "proxy/session/handshake_turns.hpp"
#include "proxy/session/live_connections.hpp"

namespace atls::proxy {

/// What the sessions of one thread share; it outlives them.
struct session_resources {
  const std::shared_ptr<admission> before_verdict;
  handshake_turns& turns;
  live_connections& live;
};

/// Never throws: a session's fault ends that session only. Once its peer is admitted it is among
/// the live connections of its thread. An egress connection is `counted`; an ingress one is counted
/// once its peer is admitted, in these quotas: before, it has a place of the admission. What is
/// referred to outlives it: a silent connection pays for each copy.
awaitable<> run_session(stream_socket& accepted, std::shared_ptr<const tunnel> through,
                        std::uint64_t number, const connection_quotas& quotas,
                        counted_connection& counted, session_resources& shared);

}  // namespace atls::proxy
