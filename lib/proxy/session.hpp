// One connection through a tunnel, from accept to its line in the access log.
#pragma once

#include "proxy/live_connections.hpp"

namespace atls::proxy {

/// Never throws: a session's fault ends that session only. Once its peer is admitted it is among
/// the live connections of its thread.
awaitable<> run_session(stream_socket accepted, std::shared_ptr<const tunnel> through,
                        std::uint64_t number, live_connections& among);

}  // namespace atls::proxy
