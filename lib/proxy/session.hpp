// One connection through a tunnel, from accept to its line in the access log.
#pragma once

#include "proxy/tunnel.hpp"

namespace atls::proxy {

/// Never throws: a session's fault ends that session only.
awaitable<> run_session(stream_socket accepted, std::shared_ptr<const tunnel> through,
                        std::uint64_t number);

}  // namespace atls::proxy
