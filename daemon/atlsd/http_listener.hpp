// HTTP/1.1 for few clients at a time, none of which can keep others out.
#pragma once

#include "core/descriptors.hpp"
#include "proxy/listen/listener.hpp"

#include <functional>
#include <memory>
#include <vector>

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace atls {

/// At most 64 connections: the next one takes the place of that which has been idle the longest. A
/// request is complete two seconds after its first byte; the first byte comes two seconds after the
/// connection, and thirty after an answer. On one thread.
class http_listener : public std::enable_shared_from_this<http_listener> {
 public:
  using request = boost::beast::http::request<boost::beast::http::string_body>;
  using response = boost::beast::http::response<boost::beast::http::string_body>;
  using handler = std::function<proxy::awaitable<response>(request)>;

  http_listener(proxy::acceptor listening, handler answer)
      : listening_(std::move(listening)), answer_(std::move(answer)) {}

  /// Once. It serves for as long as its io_context is there, and the object lives that long.
  void start();

 private:
  struct client {
    explicit client(proxy::stream_socket accepted) : stream(std::move(accepted)) {}

    boost::beast::basic_stream<proxy::stream_protocol, proxy::executor> stream;
    /// Of the next request not everything has come.
    bool is_idle = true;
  };

  static proxy::awaitable<> run(std::shared_ptr<http_listener> self);
  static proxy::awaitable<> serve(std::shared_ptr<http_listener> self, std::shared_ptr<client> one);

  proxy::awaitable<> accept_clients();
  void admit(proxy::stream_socket accepted);
  bool make_room();
  proxy::awaitable<bool> serve_request(client& one, boost::beast::flat_buffer& buffer);
  proxy::awaitable<> serve_one_with_the_spare();

  proxy::acceptor listening_;
  const handler answer_;
  /// In the order in which they came.
  std::vector<std::weak_ptr<client>> clients_;
  spare_descriptors spare_{1};
};

}  // namespace atls
