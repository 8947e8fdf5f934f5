#include "proxy/listen/proxy_protocol.hpp"
#include "proxy/session/handshake_turns.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::proxy;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

steady_time now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

TEST_CASE("a time limit does nothing once it is gone, also if its time has come", "[proxy]") {
  asio::io_context io{1};
  int expired = 0;
  auto limit = std::make_optional<time_limit>(io.get_executor(), now() - 1s, [&] { ++expired; });
  // The expiry is ready to run, behind this handler.
  asio::post(io, [&] { limit.reset(); });
  io.run();
  CHECK(expired == 0);

  const time_limit another(io.get_executor(), now() - 1s, [&] { ++expired; });
  io.restart();
  io.run();
  CHECK(expired == 1);
  CHECK(another.has_expired());
}

namespace {

awaitable<> read_header(stream_socket from, steady_time deadline, std::optional<errc>& outcome) {
  const connection_addresses nobody{{}, {}};
  const auto got = co_await proxy_protocol::receive(from, nobody, deadline);
  outcome = got ? errc::ok : got.error().code;
}

}  // namespace

// The deadline's handler is queued when the header turns out to be malformed, and runs when the
// connection is gone.
TEST_CASE("a header that is malformed as its time runs out ends its connection only", "[proxy]") {
  asio::io_context io{1};
  asio::local::stream_protocol::socket ours(io);
  asio::local::stream_protocol::socket theirs(io);
  asio::local::connect_pair(ours, theirs);
  stream_socket from(io.get_executor());
  from.assign(stream_protocol(AF_UNIX, 0), ours.release());
  from.non_blocking(true);

  std::optional<errc> outcome;
  const auto deadline = now() + 20ms;
  asio::co_spawn(io.get_executor(), read_header(std::move(from), deadline, outcome),
                 asio::detached);
  asio::post(io, [&] {
    asio::write(theirs, asio::buffer("GET / HTTP/1.1\r\n\r\n", 18));
    // Bytes and deadline are found in the same turn of the loop.
    std::this_thread::sleep_until(deadline + 5ms);
  });
  io.run();
  REQUIRE(outcome);
  CHECK((*outcome == errc::proxy_header_malformed || *outcome == errc::handshake_timeout));
}

namespace {

struct step_log {
  std::string order;
  handshake_turns turns;
  explicit step_log(asio::io_context& io) : turns(io.get_executor()) {}
};

awaitable<> make_steps(step_log& log, std::shared_ptr<handshake_turns::waiter> by,
                       std::string source, int steps) {
  for (int step = 0; step < steps; ++step) {
    const bool is_ours = co_await log.turns.take(by, source);
    if (!is_ours) {
      log.order += '-';
      co_return;
    }
    log.order += source;
    log.turns.give_back();
  }
}

void start(step_log& log, asio::io_context& io, const std::string& source, int steps) {
  asio::co_spawn(
      io,
      make_steps(log, std::make_shared<handshake_turns::waiter>(io.get_executor()), source, steps),
      asio::detached);
}

}  // namespace

TEST_CASE("between two steps of handshakes everything else that is ready runs", "[proxy]") {
  asio::io_context io{1};
  step_log log(io);
  start(log, io, "a", 2);
  start(log, io, "a", 2);
  start(log, io, "b", 2);
  asio::post(io, [&] { log.order += '.'; });
  asio::post(io, [&] { log.order += '.'; });
  io.run();
  // One step, then what was posted; from then on sources take turns.
  CHECK(log.order == "a..ababa");
}

TEST_CASE("who is cancelled while waiting leaves the others their turns", "[proxy]") {
  asio::io_context io{1};
  step_log log(io);
  start(log, io, "a", 1);
  const auto leaving = std::make_shared<handshake_turns::waiter>(io.get_executor());
  asio::co_spawn(io, make_steps(log, leaving, "b", 1), asio::detached);
  start(log, io, "c", 1);
  asio::post(io, [&] { leaving->cancel(); });
  io.run();
  CHECK(log.order == "a-c");
}
