#include "proxy/listen/admission.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::proxy;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
using shared_place = std::shared_ptr<admission::place>;

struct fixture {
  asio::io_context io{1};
  std::shared_ptr<admission> all = std::make_shared<admission>();

  explicit fixture(const admission_limits& limits) { all->use(limits); }

  shared_place enter(const std::string& source = "a") {
    return all->enter(source, io.get_executor()).value();
  }

  /// Runs what is ready.
  void poll() {
    io.restart();
    io.poll();
  }
};

awaitable<> begin(shared_place at, std::optional<result<void>>& outcome,
                  std::chrono::milliseconds patience) {
  outcome = co_await at->begin_handshake(std::chrono::steady_clock::now() + patience);
}

/// The outcome of begin_handshake, once there is one.
class handshake {
 public:
  handshake(fixture& in, shared_place at, std::chrono::milliseconds patience = 10s) {
    asio::co_spawn(in.io.get_executor(), begin(std::move(at), outcome_, patience), asio::detached);
    in.poll();
  }
  bool has_begun() const { return outcome_ && *outcome_; }
  const std::optional<result<void>>& outcome() const { return outcome_; }

 private:
  std::optional<result<void>> outcome_;
};

}  // namespace

TEST_CASE("a place is given back with its connection", "[proxy]") {
  fixture f({.half_open = 2});
  auto one = f.enter();
  auto two = f.enter();
  CHECK(f.all->count().half_open == 2);
  one.reset();
  two.reset();
  CHECK(f.all->count().half_open == 0);
}

TEST_CASE("where all places are taken the longest silent connection goes", "[proxy]") {
  fixture f({.half_open = 2});
  const auto oldest = f.enter("a");
  const auto newer = f.enter("b");
  int ended = 0;
  oldest->when_shed([&] { ++ended; });
  const auto newest = f.enter("c");
  CHECK(ended == 0);  // only on its own thread
  f.poll();
  CHECK(ended == 1);
  REQUIRE(oldest->why_shed());
  CHECK(oldest->why_shed()->code == errc::half_open_shed);
  CHECK_FALSE(newer->why_shed());
  CHECK(f.all->count().half_open == 2);
}

TEST_CASE("a source that has its share replaces its own connections only", "[proxy]") {
  fixture f({.half_open = 100, .per_source = 2});
  const auto others = f.enter("other");
  const auto first = f.enter("flood");
  const auto second = f.enter("flood");
  const auto third = f.enter("flood");
  REQUIRE(first->why_shed());
  CHECK(first->why_shed()->code == errc::source_quota);
  CHECK_FALSE(second->why_shed());
  CHECK_FALSE(others->why_shed());
  CHECK(f.all->count().half_open == 3);

  // Whoever has begun is not replaced by one who has not.
  const handshake a(f, second);
  const handshake b(f, third);
  const auto refused = f.all->enter("flood", f.io.get_executor());
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == errc::source_quota);
}

TEST_CASE("what is not IP has no share", "[proxy]") {
  fixture f({.half_open = 100, .per_source = 1});
  const auto one = f.enter("");
  const auto two = f.enter("");
  CHECK_FALSE(one->why_shed());
}

TEST_CASE("a load balancer's connection becomes its client's", "[proxy]") {
  fixture f({.half_open = 100, .per_source = 1});
  const auto one = f.enter("");
  const auto two = f.enter("");
  CHECK(one->attribute_to("client").has_value());
  CHECK(one->source() == "client");
  // Both are silent yet: the older one goes.
  CHECK(two->attribute_to("client").has_value());
  REQUIRE(one->why_shed());
  CHECK(one->why_shed()->code == errc::source_quota);
}

TEST_CASE("handshakes beyond the limit wait, and sources take turns", "[proxy]") {
  fixture f({.half_open = 100, .handshakes = 1});
  auto first = f.enter("flood");
  std::vector<shared_place> flood = {f.enter("flood"), f.enter("flood")};
  const auto honest = f.enter("honest");
  const handshake running(f, first);
  const handshake waiting(f, flood[0]);
  const handshake also_waiting(f, flood[1]);
  const handshake honest_one(f, honest);
  CHECK(running.has_begun());
  CHECK_FALSE(waiting.outcome());

  first.reset();
  f.poll();
  CHECK(waiting.has_begun());
  flood[0].reset();
  f.poll();
  CHECK(honest_one.has_begun());
  CHECK_FALSE(also_waiting.outcome());
}

TEST_CASE("a handshake that waits for its peer gives way to one that waits for it", "[proxy]") {
  fixture f({.half_open = 100, .handshakes = 1});
  const auto stalled = f.enter("a");
  const auto next = f.enter("b");
  int ended = 0;
  stalled->when_shed([&] { ++ended; });
  const handshake first(f, stalled);
  stalled->waits_for_peer(true);
  const handshake second(f, next);
  CHECK_FALSE(second.outcome());
  f.io.restart();
  f.io.run_for(3s);
  CHECK(second.has_begun());
  CHECK(ended == 1);
  REQUIRE(stalled->why_shed());
  CHECK(stalled->why_shed()->code == errc::half_open_shed);
}

TEST_CASE("a handshake that works is not disturbed, and who waits in vain is told", "[proxy]") {
  fixture f({.half_open = 100, .handshakes = 1});
  const auto working = f.enter("a");
  const auto next = f.enter("b");
  const handshake first(f, working);
  const handshake second(f, next, 50ms);
  f.io.restart();
  f.io.run_for(3s);
  CHECK_FALSE(working->why_shed());
  REQUIRE(second.outcome());
  CHECK(second.outcome()->error().code == errc::handshake_timeout);
}

TEST_CASE("a source is the prefix of an address", "[proxy]") {
  fixture f({.ipv4_prefix = 24, .ipv6_prefix = 64});
  const auto source = [&](const char* ip) {
    return f.all->source_of(asio::ip::tcp::endpoint(asio::ip::make_address(ip), 1));
  };
  CHECK(source("192.0.2.1") == source("192.0.2.255"));
  CHECK(source("192.0.2.1") == source("::ffff:192.0.2.7"));
  CHECK(source("192.0.2.1") != source("192.0.3.1"));
  CHECK(source("2001:db8::1") == source("2001:db8::ffff:1"));
  CHECK(source("2001:db8::1") != source("2001:db8:0:1::1"));
  CHECK(f.all->source_of(*address{address::scheme::unix_socket, "/x", ""}.numeric()).empty());
}
