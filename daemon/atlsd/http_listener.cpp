#include "atlsd/http_listener.hpp"

#include "core/attempt.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/http.hpp>

namespace atls {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using proxy::awaitable;
using proxy::resume_with;

constexpr std::size_t most_clients = 64;
constexpr std::size_t max_body_bytes = 4096;
constexpr std::size_t most_bytes_at_first = 4096;
constexpr auto request_limit = std::chrono::seconds(2);
constexpr auto idle_limit = std::chrono::seconds(30);
constexpr auto accept_pause = std::chrono::milliseconds(100);

}  // namespace

void http_listener::start() {
  asio::co_spawn(listening_.get_executor(), run(shared_from_this()), asio::detached);
}

awaitable<> http_listener::run(std::shared_ptr<http_listener> self) {
  co_await self->accept_clients();
}

awaitable<> http_listener::accept_clients() {
  for (;;) {
    error_code ec;
    auto accepted = co_await listening_.async_accept(resume_with(ec));
    if (!ec && attempt([&] { admit(std::move(accepted)); })) {
      continue;
    }
    if (ec == asio::error::no_descriptors) {
      co_await serve_one_with_the_spare();
    }
    proxy::timer pause(listening_.get_executor(), accept_pause);
    co_await pause.async_wait(resume_with(ec));
  }
}

void http_listener::admit(proxy::stream_socket accepted) {
  if (!make_room()) {
    return;
  }
  const auto one = std::make_shared<client>(std::move(accepted));
  clients_.push_back(one);
  asio::co_spawn(listening_.get_executor(), serve(shared_from_this(), one), asio::detached);
}

bool http_listener::make_room() {
  std::erase_if(clients_, [](const auto& one) { return one.expired(); });
  if (clients_.size() < most_clients) {
    return true;
  }
  for (auto at = clients_.begin(); at != clients_.end(); ++at) {
    if (const auto one = at->lock(); one->is_idle) {
      one->stream.close();
      clients_.erase(at);
      return true;
    }
  }
  return false;
}

awaitable<> http_listener::serve(std::shared_ptr<http_listener> self, std::shared_ptr<client> one) {
  boost::beast::flat_buffer buffer;
  one->stream.expires_after(request_limit);
  while (co_await self->serve_request(*one, buffer)) {
    one->stream.expires_after(idle_limit);
  }
}

// Whether another may follow.
awaitable<bool> http_listener::serve_request(client& one, boost::beast::flat_buffer& buffer) {
  error_code ec;
  if (buffer.size() == 0) {
    buffer.commit(
        co_await one.stream.async_read_some(buffer.prepare(most_bytes_at_first), resume_with(ec)));
  }
  http::request_parser<http::string_body> parser;
  parser.body_limit(max_body_bytes);
  one.stream.expires_after(request_limit);
  if (!ec) {
    co_await http::async_read(one.stream, buffer, parser, resume_with(ec));
  }
  if (ec) {
    co_return false;
  }
  one.is_idle = false;
  const bool keeps_alive = parser.keep_alive();
  auto reply = co_await answer_(parser.release());
  reply.keep_alive(keeps_alive);
  reply.prepare_payload();
  one.stream.expires_after(request_limit);
  co_await http::async_write(one.stream, reply, resume_with(ec));
  one.is_idle = true;
  co_return !ec && keeps_alive;
}

// All descriptors are taken, and now is when an operator wants to see what is going on.
awaitable<> http_listener::serve_one_with_the_spare() {
  const auto lent = spare_.lend();
  error_code ec;
  listening_.non_blocking(true, ec);
  proxy::stream_socket accepted(listening_.get_executor());
  listening_.accept(accepted, ec);
  if (ec) {
    co_return;
  }
  client one(std::move(accepted));
  boost::beast::flat_buffer buffer;
  one.stream.expires_after(request_limit);
  co_await serve_request(one, buffer);
}

}  // namespace atls
