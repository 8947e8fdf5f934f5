#include "appraisal/transport/answering.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

namespace {

boost::asio::awaitable<result<int>> work(bool has_memory) {
  if (!has_memory) {
    throw std::bad_alloc();
  }
  co_return 7;
}

}  // namespace

TEST_CASE("work that throws is answered like any other", "[verifier]") {
  boost::asio::io_context io(1);
  for (const bool has_memory : {true, false}) {
    auto answer = std::make_shared<pending<int>>();
    spawn_answering(io, work(has_memory), answer);
    io.run();
    io.restart();
    const auto found = answer->wait(std::chrono::steady_clock::now(), errc::verifier_timeout);
    CHECK((found ? errc::ok : found.error().code) == (has_memory ? errc::ok : errc::internal));
  }
}
