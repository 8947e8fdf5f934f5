#include "reference_verifier/http_server.hpp"

#include "support/software_tpm.hpp"

#include <thread>

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

class running_server {
 public:
  explicit running_server(http_server::limits most)
      : server_(
            io_, {asio::ip::address_v4::loopback(), 0},
            std::make_shared<verifier_service>(verifier_service::options{{"ES256", new_key()}, {}}),
            most),
        thread_([this] { io_.run(); }) {}
  ~running_server() {
    io_.stop();
    thread_.join();
  }
  tcp::endpoint at() const { return at_; }

 private:
  asio::io_context io_{1};
  http_server server_;
  const tcp::endpoint at_ = server_.local_endpoint();
  std::thread thread_;
};

struct connection {
  explicit connection(const running_server& server) { socket.connect(server.at()); }

  void send(std::string_view text) { asio::write(socket, asio::buffer(text)); }
  // The status line, or nothing if the connection has ended.
  std::string answer() {
    std::string text;
    boost::system::error_code ec;
    asio::read_until(socket, asio::dynamic_buffer(text), "\r\n", ec);
    return text.substr(0, text.find("\r\n"));
  }

  asio::io_context io;
  tcp::socket socket{io};
};

constexpr std::string_view question =
    "GET /.well-known/veraison/verification HTTP/1.1\r\nHost: verifier\r\n\r\n";

}  // namespace

TEST_CASE("who says nothing, or never finishes, is let go", "[daemon][threads]") {
  const running_server server({.request = 50ms});
  connection silent(server);
  CHECK(silent.answer().empty());
  connection slow(server);
  slow.send(question.substr(0, 20));
  CHECK(slow.answer().empty());
}

TEST_CASE("connections over the limit wait until one ends", "[daemon][threads]") {
  const running_server server({.connections = 2, .request = 60s});
  auto first = std::make_unique<connection>(server);
  connection second(server);
  for (auto* one : {first.get(), &second}) {
    one->send(question);
    CHECK(one->answer() == "HTTP/1.1 200 OK");
  }
  connection third(server);
  third.send(question);
  third.socket.non_blocking(true);
  std::this_thread::sleep_for(50ms);
  CHECK(third.socket.available() == 0);
  first.reset();
  third.socket.non_blocking(false);
  CHECK(third.answer() == "HTTP/1.1 200 OK");
}

TEST_CASE("a body that is too large is not read", "[daemon][threads]") {
  const running_server server({});
  connection one(server);
  one.send(
      "POST /challenge-response/v1/session/7 HTTP/1.1\r\nHost: verifier\r\n"
      "Content-Length: 98305\r\n\r\n");
  CHECK(one.answer() == "HTTP/1.1 413 Payload Too Large");
}
