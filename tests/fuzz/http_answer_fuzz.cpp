// A whole Verifier: the bytes are its answers on a connection.
#include "appraisal/transport/verifier_client.hpp"
#include "fuzz.hpp"
#include "support/software_tpm.hpp"
#include "unit/appraisal/dialects/fake_scheme.hpp"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace {

using namespace atls;
namespace asio = boost::asio;
using asio::ip::tcp;

// Everything at the first request; a reset before it is read would take it away.
asio::awaitable<void> serve(tcp::acceptor& listening, bytes_view answers) {
  boost::system::error_code ec;
  auto token = asio::redirect_error(asio::use_awaitable, ec);
  tcp::socket peer = co_await listening.async_accept(token);
  listening.close(ec);
  char request[4096];
  co_await peer.async_read_some(asio::buffer(request), token);
  co_await asio::async_write(peer, asio::buffer(answers.data(), answers.size()), token);
  peer.shutdown(tcp::socket::shutdown_send, ec);
  ec = {};
  while (!ec) {
    co_await peer.async_read_some(asio::buffer(request), token);
  }
}

asio::awaitable<void> ask(asio::io_context& io, verifier_client& verifier, bool& done) {
  submission what{.scheme = std::make_shared<const test::fake_scheme>(),
                  .evidence = std::make_shared<const statement>(test::fake_statement()),
                  .nonce = bytes(32, 7)};
  const auto token = co_await verifier.submit(std::move(what));
  must(token || !token.error().detail.empty());
  done = true;
  io.stop();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = std::make_shared<const jws_key>(jws_key{"ES256", test::new_key()});
  asio::io_context io(1);
  tcp::acceptor listening(io, {asio::ip::address_v4::loopback(), 0});
  verifier_options options;
  options.url = "http://127.0.0.1:" + std::to_string(listening.local_endpoint().port());
  options.pinned_keys = {key};
  options.timeout = std::chrono::milliseconds(300);
  verifier_client verifier(io, options);
  bool done = false;
  asio::co_spawn(io, serve(listening, {data, size}), asio::detached);
  asio::co_spawn(io, ask(io, verifier, done), asio::detached);
  io.run_for(std::chrono::seconds(2));
  must(done);
  return 0;
}
