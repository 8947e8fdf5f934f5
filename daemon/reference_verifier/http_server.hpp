// HTTP and HTTPS on Boost.Beast for one handler.
#pragma once

#include "reference_verifier/verifier_service.hpp"

#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

namespace atls {

/// Serves until the io_context stops. `tls` empty: plain HTTP. Throws boost::system::system_error
/// if the address cannot be had. Returns the address it listens on.
boost::asio::ip::tcp::endpoint serve_http(boost::asio::io_context& io,
                                          const boost::asio::ip::tcp::endpoint& listen,
                                          std::shared_ptr<boost::asio::ssl::context> tls,
                                          std::shared_ptr<verifier_service> handler);

}  // namespace atls
