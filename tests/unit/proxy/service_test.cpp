#include "proxy/service.hpp"

#include "support/engines.hpp"

#include <atomic>
#include <thread>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

using namespace atls;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using proxy::service;

namespace {

tcp::endpoint unused_endpoint() {
  asio::io_context io;
  return tcp::acceptor(io, {asio::ip::address_v4::loopback(), 0}).local_endpoint();
}

proxy::address address_of(const tcp::endpoint& at) {
  return proxy::address::parse_listen("127.0.0.1:" + std::to_string(at.port())).value();
}

// An egress tunnel whose peer does not answer: it refuses its clients once it has tried.
std::shared_ptr<proxy::tunnel_set> tunnel_to_nobody(prometheus::Registry& registry) {
  auto out = std::make_shared<proxy::tunnel>();
  out->name = "out";
  out->target = proxy::address::parse_target("127.0.0.1:1").value();
  out->tls = std::make_shared<tls::context>(test::side(tls::role::client));
  out->limits.connect = 1ms;
  out->statistics = std::make_shared<proxy::tunnel_statistics>(registry, "out", "egress");
  return std::make_shared<proxy::tunnel_set>(proxy::tunnel_set{{"out", std::move(out)}});
}

// Whether the tunnel ended the connection, without a byte.
bool is_refused(const tcp::endpoint& at) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect(at);
  boost::system::error_code ended;
  asio::write(socket, asio::buffer("hello", 5), ended);
  std::array<char, 1> answer{};
  return asio::read(socket, asio::buffer(answer), ended) == 0;
}

}  // namespace

TEST_CASE("a service is reconfigured and drained while its threads serve", "[proxy][threads]") {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  prometheus::Registry registry;
  const auto at = unused_endpoint();
  const service::listen_spec first{.tunnel = "out", .listen = address_of(at)};
  const service::listen_spec second{.tunnel = "out", .listen = address_of(unused_endpoint())};
  service serving({first}, 2);
  serving.start(tunnel_to_nobody(registry), {.connections = 100, .before_verdict = {}});
  serving.start_heartbeats(1ms, [](std::chrono::milliseconds) {});

  std::atomic<int> refused = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 30; ++n) {
        refused += is_refused(at);
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    serving.reconfigure(i % 2 == 0 ? std::vector{first, second} : std::vector{first},
                        tunnel_to_nobody(registry), {.connections = 50, .before_verdict = {}});
    (void)serving.open_connections();
    (void)registry.Collect();
  }
  for (auto& client : clients) {
    client.join();
  }
  CHECK(refused == 90);
  CHECK(serving.connections() == 90);
  serving.stop_accepting();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!serving.is_drained() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(serving.is_drained());
  spdlog::set_level(level);
}
