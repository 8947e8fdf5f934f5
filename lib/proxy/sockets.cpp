#include "proxy/sockets.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atls::proxy {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using tcp = asio::ip::tcp;

namespace {

constexpr auto first_retry = std::chrono::milliseconds(5);
constexpr auto last_retry = std::chrono::milliseconds(200);

asio::awaitable<error_code> try_dial(tcp::socket& socket, const host_and_port& target) {
  tcp::resolver resolver(socket.get_executor());
  error_code ec;
  const auto addresses = co_await resolver.async_resolve(
      target.host, target.port, asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) {
    co_await asio::async_connect(socket, addresses, asio::redirect_error(asio::use_awaitable, ec));
  }
  co_return ec;
}

}  // namespace

asio::awaitable<result<tcp::socket>> dial(asio::any_io_executor executor,
                                          const host_and_port& target, steady_time deadline) {
  using namespace asio::experimental::awaitable_operators;
  tcp::socket socket(executor);
  asio::steady_timer limit(executor, deadline);
  asio::steady_timer pause(executor);
  std::string last_error = "timed out";
  auto retry = first_retry;
  while (clock::now() < deadline) {
    const auto outcome = co_await (try_dial(socket, target) ||
                                   limit.async_wait(asio::as_tuple(asio::use_awaitable)));
    if (outcome.index() == 1) {
      break;
    }
    const error_code ec = std::get<0>(outcome);
    if (!ec) {
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      co_return std::move(socket);
    }
    last_error = ec.message();
    socket.close();
    pause.expires_at(std::min(deadline, clock::now() + retry));
    retry = std::min(2 * retry, last_retry);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return failure(errc::target_unreachable, target.text() + ": " + last_error);
}

std::string remote_address(const tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) {
    return "unknown";
  }
  return host_and_port{endpoint.address().to_string(), std::to_string(endpoint.port())}.text();
}

void reset(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace atls::proxy
