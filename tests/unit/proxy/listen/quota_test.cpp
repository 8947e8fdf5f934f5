#include "proxy/listen/quota.hpp"

#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::proxy;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

std::shared_ptr<quota> quota_of(std::size_t limit) {
  auto out = std::make_shared<quota>();
  out->set_limit(limit);
  return out;
}

template <class Taker, class From>
awaitable<> take(Taker& by, From from, executor where, std::chrono::milliseconds patience,
                 std::optional<bool>& outcome) {
  outcome = co_await by.take(from, where, std::chrono::steady_clock::now() + patience);
}

/// A connection on the fixture's thread: its share, and whether it has one yet.
template <class Taker>
struct taker {
  Taker share;
  std::optional<bool> outcome;

  template <class From>
  taker(asio::io_context& io, From from, std::chrono::milliseconds patience = 10s) {
    asio::co_spawn(io.get_executor(), take(share, from, io.get_executor(), patience, outcome),
                   asio::detached);
    io.restart();
    io.poll();
  }
  bool has_one() const { return outcome == true; }
};

constexpr int rounds = 2000;

struct counts {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::atomic<int> served = 0;
};

awaitable<> take_again_and_again(executor where, std::shared_ptr<quota> of, counts& seen) {
  timer pause(where);
  for (int i = 0; i < rounds; ++i) {
    quota::share one;
    co_await one.take(of, where, steady_time::max());
    seen.most = std::max<int>(seen.most, ++seen.now);
    pause.expires_after(0s);
    boost::system::error_code ec;
    co_await pause.async_wait(resume_with(ec));
    --seen.now;
    ++seen.served;
  }
}

}  // namespace

TEST_CASE("a connection counts for its tunnel and for all, until it ends", "[proxy]") {
  asio::io_context io{1};
  const connection_quotas quotas{quota_of(2), quota_of(1), {}};
  const connection_quotas another{quotas.all, quota_of(0), {}};
  using connection = taker<counted_connection>;
  connection one(io, quotas);
  REQUIRE(one.has_one());
  connection two(io, quotas, 0ms);
  CHECK(two.outcome == false);
  // What the tunnel refused is not counted for all either.
  connection three(io, another, 0ms);
  REQUIRE(three.has_one());
  connection four(io, another, 0ms);
  CHECK(four.outcome == false);
  one.share = {};
  CHECK(connection(io, quotas, 0ms).has_one());
}

TEST_CASE("who waits for a quota is served in order, as soon as one is given back", "[proxy]") {
  asio::io_context io{1};
  const auto of = quota_of(1);
  using waiting = taker<quota::share>;
  waiting first(io, of);
  waiting second(io, of);
  waiting third(io, of);
  CHECK_FALSE(second.outcome);
  first.share = {};
  io.restart();
  io.poll();
  CHECK(second.has_one());
  CHECK_FALSE(third.outcome);
  // A raised limit serves them, too.
  of->set_limit(2);
  io.restart();
  io.poll();
  CHECK(third.has_one());
}

TEST_CASE("a turn goes on to the next if its owner has gone", "[proxy]") {
  asio::io_context here{1};
  const auto of = quota_of(1);
  using waiting = taker<quota::share>;
  waiting first(here, of);
  std::optional<waiting> second;
  auto there = std::make_unique<asio::io_context>(1);
  second.emplace(*there, of);
  waiting third(here, of);
  first.share = {};
  // Woken, but it does not run any more.
  there.reset();
  here.restart();
  here.run_for(5s);
  CHECK(third.has_one());
}

TEST_CASE("no turn is lost between threads", "[proxy][threads]") {
  counts seen;
  const auto run = [&seen, of = quota_of(2)] {
    asio::io_context io{1};
    for (int connection = 0; connection < 3; ++connection) {
      asio::co_spawn(io.get_executor(), take_again_and_again(io.get_executor(), of, seen),
                     asio::detached);
    }
    io.run_for(60s);
  };
  std::thread other(run);
  run();
  other.join();
  CHECK(seen.most == 2);
  CHECK(seen.served == 2 * 3 * rounds);
}
