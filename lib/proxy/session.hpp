// One connection through a tunnel, from accept to its line in the access log.
#pragma once

#include "proxy/tunnel.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace atls::proxy {

/// Never throws: a session's fault ends that session only.
boost::asio::awaitable<void> run_session(boost::asio::ip::tcp::socket accepted,
                                         std::shared_ptr<const tunnel> through,
                                         std::uint64_t number);

}  // namespace atls::proxy
