#include "verifier/turnstile.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> visit(turnstile& gate, std::string& record, char name,
                            std::chrono::milliseconds patience, std::chrono::milliseconds stay,
                            asio::io_context& io) {
  if (!co_await gate.enter(std::chrono::steady_clock::now() + patience)) {
    record += static_cast<char>(name - 'a' + 'A');
    co_return;
  }
  record += name;
  asio::steady_timer inside(io, stay);
  co_await inside.async_wait(asio::use_awaitable);
  gate.leave();
}

}  // namespace

TEST_CASE("some are inside at a time, in order; who cannot wait goes", "[verifier]") {
  asio::io_context io(1);
  turnstile gate(io, 2);
  std::string record;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    const auto patience = name == 'd' ? 10ms : 5000ms;
    asio::co_spawn(io, visit(gate, record, name, patience, 50ms, io), asio::detached);
  }
  io.run();
  CHECK(record == "abDce");
}
