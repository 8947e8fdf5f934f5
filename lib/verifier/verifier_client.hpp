// Evidence in, signed Attestation Result out: one Verifier over HTTP (Boost.Beast).
#pragma once

#include "core/bytes.hpp"
#include "core/wait.hpp"
#include "verifier/url.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>

namespace atls {

/// Used on the thread of its io_context only.
class verifier_client {
 public:
  /// Throws atls::error if the CA file cannot be used. `ca_file` empty: the system's anchors.
  verifier_client(boost::asio::io_context& io, url where, const std::string& ca_file);
  ~verifier_client();

  /// A session for the nonce, the Evidence submitted to it (polled if the Verifier takes its time),
  /// the Attestation Result as the Verifier sent it: a compact JWS, not yet checked.
  boost::asio::awaitable<result<std::string>> submit(bytes nonce, std::string media_type,
                                                     bytes evidence, steady_time deadline);

  /// HTTP requests sent.
  std::uint64_t requests() const noexcept { return requests_; }

 private:
  class connection;
  struct reply;

  boost::asio::awaitable<result<std::unique_ptr<connection>>> connect(steady_time deadline);
  boost::asio::awaitable<result<reply>> request(std::unique_ptr<connection>& on, std::string method,
                                                std::string target, std::string content_type,
                                                bytes body, steady_time deadline);
  void keep(std::unique_ptr<connection> used);

  boost::asio::io_context& io_;
  const url where_;
  boost::asio::ssl::context tls_;
  std::vector<std::unique_ptr<connection>> idle_;
  std::uint64_t requests_ = 0;
};

}  // namespace atls
