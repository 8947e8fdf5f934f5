#include "reference_verifier/http_server.hpp"

#include <iostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace atls {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t max_header_bytes = 8 * 1024;
constexpr std::size_t read_size = 4096;

}  // namespace

http_server::http_server(asio::io_context& io, const tcp::endpoint& listen,
                         std::shared_ptr<verifier_service> handler, limits most)
    : most_(most), handler_(std::move(handler)), acceptor_(io, listen), place_left_(io) {
  asio::co_spawn(io, accept_connections(), asio::detached);
}

asio::awaitable<void> http_server::accept_connections() {
  for (;;) {
    error_code ec;
    while (open_ >= most_.connections) {
      place_left_.expires_at(asio::steady_timer::time_point::max());
      co_await place_left_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
    tcp::socket socket =
        co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      // Out of descriptors, most likely: wait rather than spin.
      asio::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    ++open_;
    const auto executor = socket.get_executor();
    asio::co_spawn(executor, serve_connection(std::move(socket), tls_),
                   [this](const std::exception_ptr& why) { ended(why); });
  }
}

void http_server::ended(const std::exception_ptr& why) {
  --open_;
  place_left_.cancel();
  if (!why) {
    return;
  }
  try {
    std::rethrow_exception(why);
  } catch (const std::exception& e) {
    std::cerr << "atls-verifier: a connection failed: " << e.what() << std::endl;
  }
}

asio::awaitable<void> http_server::serve_connection(tcp::socket socket,
                                                    std::shared_ptr<asio::ssl::context> tls) {
  error_code ec;
  socket.set_option(tcp::no_delay(true), ec);
  if (!tls) {
    beast::tcp_stream stream(std::move(socket));
    co_await serve_requests(stream);
    co_return;
  }
  beast::ssl_stream<beast::tcp_stream> stream(std::move(socket), *tls);
  beast::get_lowest_layer(stream).expires_after(most_.request);
  co_await stream.async_handshake(asio::ssl::stream_base::server,
                                  asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) {
    co_await serve_requests(stream);
  }
}

template <class Stream>
asio::awaitable<void> http_server::serve_requests(Stream& stream) {
  auto& transport = beast::get_lowest_layer(stream);
  beast::flat_buffer buffer(max_header_bytes + verifier_service::max_body_bytes);
  auto patience = most_.request;
  for (;;) {
    error_code ec;
    if (buffer.size() == 0) {
      transport.expires_after(patience);
      buffer.commit(co_await stream.async_read_some(buffer.prepare(read_size),
                                                    asio::redirect_error(asio::use_awaitable, ec)));
    }
    if (ec) {
      co_return;
    }
    http::request_parser<http::string_body> parser;
    parser.header_limit(max_header_bytes);
    parser.body_limit(verifier_service::max_body_bytes);
    transport.expires_after(most_.request);
    co_await http::async_read(stream, buffer, parser,
                              asio::redirect_error(asio::use_awaitable, ec));
    if (ec && ec != http::error::body_limit) {
      co_return;
    }
    const auto answer =
        ec ? verifier_service::too_large(parser.get()) : handler_->handle(parser.get());
    transport.expires_after(most_.request);
    co_await http::async_write(stream, answer, asio::redirect_error(asio::use_awaitable, ec));
    if (ec || !answer.keep_alive()) {
      co_return;
    }
    patience = most_.idle;
  }
}

}  // namespace atls
