#include "appraisal/transport/provisioning_client.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

namespace atls {

namespace asio = boost::asio;

namespace {

asio::awaitable<result<provisioning_outcome>> run(asio::io_context& io, http_client& http,
                                                  provisioning_exchange exchange,
                                                  steady_time deadline) {
  const auto where = http.where().origin();
  next_request next{exchange.begin()};
  for (;;) {
    if (next.after.count() > 0) {
      const auto until = std::min(std::chrono::steady_clock::now() + next.after, deadline);
      asio::steady_timer pause(io, until);
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return failure(errc::verifier_timeout, where + ": still processing the endorsements");
    }
    auto received = co_await http.exchange(std::move(next.request), deadline);
    if (!received) {
      co_return received.error();
    }
    auto step = exchange.resume(received->reply);
    if (!step) {
      co_return failure(step.error().code, where + ": " + step.error().detail);
    }
    if (const auto* const outcome = std::get_if<provisioning_outcome>(&*step)) {
      co_return *outcome;
    }
    next = std::get<next_request>(std::move(*step));
  }
}

}  // namespace

result<provisioning_outcome> submit_endorsements(const http_options& to, std::string media_type,
                                                 bytes corim, std::chrono::milliseconds timeout) {
  asio::io_context io(1);
  http_client http(io, to);
  provisioning_exchange exchange(to.where, std::move(media_type), std::move(corim));
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto outcome = asio::co_spawn(io, run(io, http, std::move(exchange), deadline), asio::use_future);
  io.run();
  return outcome.get();
}

}  // namespace atls
