#include "reference_verifier/http_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
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

constexpr auto idle_limit = std::chrono::seconds(60);
constexpr std::size_t max_body_bytes = 256 * 1024;

template <class Stream>
asio::awaitable<void> serve_requests(Stream& stream, verifier_service& handler) {
  beast::flat_buffer buffer;
  for (;;) {
    error_code ec;
    http::request_parser<http::string_body> parser;
    parser.body_limit(max_body_bytes);
    beast::get_lowest_layer(stream).expires_after(idle_limit);
    co_await http::async_read(stream, buffer, parser,
                              asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_return;
    }
    const auto answer = handler.handle(parser.get());
    co_await http::async_write(stream, answer, asio::redirect_error(asio::use_awaitable, ec));
    if (ec || !answer.keep_alive()) {
      co_return;
    }
  }
}

asio::awaitable<void> serve_connection(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls,
                                       std::shared_ptr<verifier_service> handler) {
  error_code ec;
  socket.set_option(tcp::no_delay(true), ec);
  if (!tls) {
    beast::tcp_stream stream(std::move(socket));
    co_await serve_requests(stream, *handler);
    co_return;
  }
  beast::ssl_stream<beast::tcp_stream> stream(std::move(socket), *tls);
  beast::get_lowest_layer(stream).expires_after(idle_limit);
  co_await stream.async_handshake(asio::ssl::stream_base::server,
                                  asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) {
    co_await serve_requests(stream, *handler);
  }
}

asio::awaitable<void> accept_connections(tcp::acceptor acceptor,
                                         std::shared_ptr<asio::ssl::context> tls,
                                         std::shared_ptr<verifier_service> handler) {
  for (;;) {
    error_code ec;
    tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      // Out of descriptors, most likely: wait rather than spin.
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    const auto executor = socket.get_executor();
    asio::co_spawn(executor, serve_connection(std::move(socket), tls, handler), asio::detached);
  }
}

}  // namespace

tcp::endpoint serve_http(asio::io_context& io, const tcp::endpoint& listen,
                         std::shared_ptr<asio::ssl::context> tls,
                         std::shared_ptr<verifier_service> handler) {
  tcp::acceptor acceptor(io, listen);
  const auto local = acceptor.local_endpoint();
  asio::co_spawn(io, accept_connections(std::move(acceptor), std::move(tls), std::move(handler)),
                 asio::detached);
  return local;
}

}  // namespace atls
