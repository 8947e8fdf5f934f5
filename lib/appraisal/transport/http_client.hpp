// HTTP/1.1 to one server, over connections that are kept (Boost.Beast).
#pragma once

#include "core/wait.hpp"
#include "formats/http_message.hpp"
#include "formats/url.hpp"

#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>

namespace atls {

struct http_options {
  url where;
  /// PEM file of trust anchors for https; empty: the system's.
  std::string ca_file;
  /// PEM files of a client certificate and its key; both or none.
  std::string certificate_file;
  std::string key_file;
  /// The Authorization header's value; empty: none.
  std::string authorization;
};

class http_connection;

struct received_reply {
  http_reply reply;
  /// Where it came from, for keep(); null if nothing more can be asked there.
  std::shared_ptr<http_connection> connection;
};

/// Used on the thread of its io_context only.
class http_client {
 public:
  /// Throws atls::error if a file cannot be used.
  http_client(boost::asio::io_context& io, http_options options);
  /// To the same server as another, over connections of its own.
  http_client(boost::asio::io_context& io, const http_client& like);
  ~http_client();

  /// The final answer; interim ones (1xx) are skipped. verifier_unavailable, verifier_timeout, or
  /// verifier_protocol for what is no HTTP or too large.
  boost::asio::awaitable<result<received_reply>> exchange(http_request request,
                                                          steady_time deadline);

  /// Further requests may use a reply's connection. For replies that are known to answer their
  /// request: HTTP/1.1 does not say which request it answers, so a connection with one answer too
  /// many gives each of its users the one before. All others are closed with their reply.
  void keep(std::shared_ptr<http_connection> connection);

  const url& where() const noexcept { return options_.where; }
  /// Requests sent.
  std::uint64_t requests() const noexcept { return requests_; }

 private:
  boost::asio::awaitable<result<std::shared_ptr<http_connection>>> connect(steady_time deadline);
  std::shared_ptr<http_connection> take_idle();

  boost::asio::io_context& io_;
  const http_options options_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  std::vector<std::shared_ptr<http_connection>> idle_;
  std::uint64_t requests_ = 0;
};

}  // namespace atls
