#include "appraisal/transport/turnstile.hpp"

#include <map>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// Writes down who came in, in lower case, and who did not, in upper case.
struct visitors {
  asio::io_context io{1};
  turnstile gate;
  std::string record;
  std::map<char, errc> refusals;

  visitors(std::size_t places, std::size_t max_waiting) : gate(io, places, max_waiting) {}

  void come(
      char name, std::string source = "", std::chrono::milliseconds patience = 60s,
      std::function<bool()> is_abandoned = [] { return false; }) {
    asio::co_spawn(io, visit(name, std::move(source), patience, std::move(is_abandoned)),
                   asio::detached);
  }

  asio::awaitable<void> visit(char name, std::string source, std::chrono::milliseconds patience,
                              std::function<bool()> is_abandoned) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const auto place = co_await gate.enter(std::move(source), deadline, std::move(is_abandoned));
    record += place ? name : static_cast<char>(name - 'a' + 'A');
    if (!place) {
      refusals[name] = place.error().code;
      co_return;
    }
    asio::steady_timer inside(io, 50ms);
    co_await inside.async_wait(asio::use_awaitable);
  }
};

}  // namespace

TEST_CASE("some are inside at a time, in order; who cannot wait goes", "[verifier]") {
  visitors v(2, 100);
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    v.come(name, "", name == 'd' ? 10ms : 60s);
  }
  v.io.run();
  CHECK(v.record == "abDce");
  CHECK(v.refusals == std::map<char, errc>{{'d', errc::verifier_overloaded}});
}

TEST_CASE("sources take turns at the gate", "[verifier]") {
  visitors v(1, 100);
  for (const char name : {'a', 'b', 'c', 'd'}) {
    v.come(name, "many");
  }
  v.come('x', "few");
  v.come('y', "few");
  v.io.run();
  CHECK(v.record == "abxcyd");
}

TEST_CASE("a full queue makes room for those who have less in it", "[verifier]") {
  visitors v(1, 3);
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    v.come(name, "many");
  }
  v.come('x', "few");
  v.io.run();
  CHECK(v.record == "aEDbxc");
  CHECK(v.refusals ==
        std::map<char, errc>{{'d', errc::verifier_overloaded}, {'e', errc::verifier_overloaded}});

  visitors none(1, 0);
  none.come('a', "many");
  none.come('x', "few");
  none.io.run();
  CHECK(none.record == "aX");
}

TEST_CASE("who has left is passed over, and takes no room", "[verifier]") {
  const auto gone = [] { return true; };
  visitors v(1, 2);
  v.come('a');
  v.come('b', "", 60s, gone);
  v.come('c', "", 60s, gone);
  v.come('d');
  v.come('e');
  v.io.run();
  CHECK(v.record == "aBCde");
  CHECK(v.refusals == std::map<char, errc>{{'b', errc::cancelled}, {'c', errc::cancelled}});

  visitors all(1, 2);
  all.come('a');
  all.come('b', "", 60s, gone);
  all.io.run();
  all.io.restart();
  all.come('c');
  all.io.run();
  CHECK(all.record == "aBc");
}
