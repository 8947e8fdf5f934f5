// HTTP and HTTPS on Boost.Beast for one handler.
#pragma once

#include "reference_verifier/verifier_service.hpp"

#include <exception>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace atls {

/// Serves while the io_context runs, which one thread does; it outlives that run.
class http_server {
 public:
  struct limits {
    /// Further ones wait in the backlog.
    std::size_t connections = 512;
    /// From a request's first byte to its last, and for its answer; a new connection's first byte.
    std::chrono::milliseconds request = std::chrono::seconds(10);
    /// Between requests.
    std::chrono::milliseconds idle = std::chrono::seconds(60);
  };

  /// Throws boost::system::system_error if the address cannot be had.
  http_server(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& listen,
              std::shared_ptr<verifier_service> handler, limits most);
  http_server(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& listen,
              std::shared_ptr<verifier_service> handler)
      : http_server(io, listen, std::move(handler), limits()) {}

  boost::asio::ip::tcp::endpoint local_endpoint() const { return acceptor_.local_endpoint(); }

  /// For connections from now on; nullptr: plain HTTP.
  void use(std::shared_ptr<boost::asio::ssl::context> tls) { tls_ = std::move(tls); }

 private:
  boost::asio::awaitable<void> accept_connections();
  boost::asio::awaitable<void> serve_connection(boost::asio::ip::tcp::socket socket,
                                                std::shared_ptr<boost::asio::ssl::context> tls);
  template <class Stream>
  boost::asio::awaitable<void> serve_requests(Stream& stream);
  void ended(const std::exception_ptr& why);

  const limits most_;
  const std::shared_ptr<verifier_service> handler_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::size_t open_ = 0;
  boost::asio::steady_timer place_left_;
};

}  // namespace atls
