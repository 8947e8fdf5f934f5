// Bytes both ways between an application's socket and an admitted peer.
#pragma once

#include "proxy/log.hpp"
#include "proxy/session/live_connections.hpp"
#include "proxy/session/tls_stream.hpp"

namespace atls::proxy {

/// Until both directions have ended, or `among` ends it. The end of one is passed on and leaves the
/// other open (half-close); each waits for its receiver before it reads on (back-pressure). On a
/// failure both sockets are closed, the application's with a reset, so that it cannot take the end
/// for a proper one; nothing is returned if both directions ended in order. `moved` must outlive
/// it.
awaitable<std::optional<failure>> relay(admitted_peer peer, std::shared_ptr<tls_stream> tls,
                                        stream_socket application,
                                        std::shared_ptr<const tunnel> through, traffic& moved,
                                        live_connections& among);

}  // namespace atls::proxy
