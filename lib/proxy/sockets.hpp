// What sessions do with sockets beside reading and writing them.
#pragma once

#include "core/wait.hpp"
#include "proxy/tunnel.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace atls::proxy {

/// Resolves and connects, again and again until the deadline, so that it does not matter what is
/// started first. target_unreachable with the last cause.
boost::asio::awaitable<result<boost::asio::ip::tcp::socket>> dial(
    boost::asio::any_io_executor executor, const host_and_port& target, steady_time deadline);

/// Closes with a TCP reset, so that the other end cannot take this for a proper end.
void reset(boost::asio::ip::tcp::socket& socket);

/// "address:port" of the other end.
std::string remote_address(const boost::asio::ip::tcp::socket& socket);

}  // namespace atls::proxy
