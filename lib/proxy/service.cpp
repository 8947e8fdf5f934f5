#include "proxy/service.hpp"

#include "proxy/log.hpp"
#include "proxy/session.hpp"

#include <latch>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/async.h>
#include <openssl/crypto.h>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr auto min_accept_pause = std::chrono::milliseconds(5);
constexpr auto max_accept_pause = std::chrono::milliseconds(1000);

[[noreturn]] void cannot_listen(const tunnel& t, const std::string& why) {
  throw error({errc::config_invalid,
               "tunnel \"" + t.name + "\" cannot listen on " + t.listen.text() + ": " + why});
}

tcp::endpoint listen_endpoint(asio::io_context& io, const tunnel& t) {
  error_code ec;
  tcp::resolver resolver(io);
  const auto addresses = resolver.resolve(t.listen.host, t.listen.port, tcp::resolver::passive, ec);
  if (ec) {
    cannot_listen(t, ec.message());
  }
  return *addresses.begin();
}

tcp::acceptor open_listener(asio::io_context& io, const tunnel& t) {
  const auto endpoint = listen_endpoint(io, t);
  try {
    tcp::acceptor acceptor(io, endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.set_option(reuse_port(true));
    acceptor.bind(endpoint);
    acceptor.listen(asio::socket_base::max_listen_connections);
    return acceptor;
  } catch (const boost::system::system_error& e) {
    cannot_listen(t, e.code().message() + "; is another program there?");
  }
}

// SO_REUSEPORT lets our threads share an address, and would let another of our processes share it
// unseen: look first whether anybody is there.
void check_address_free(const tunnel& t) {
  asio::io_context io;
  const auto endpoint = listen_endpoint(io, t);
  tcp::acceptor probe(io);
  error_code ec;
  probe.open(endpoint.protocol(), ec);
  probe.set_option(tcp::acceptor::reuse_address(true), ec);
  probe.bind(endpoint, ec);
  if (ec == asio::error::address_in_use) {
    cannot_listen(t, "another program listens there already");
  }
}

}  // namespace

// One thread, its io_context, its listeners, its connections.
class service::worker {
 public:
  worker(service& owner, const std::vector<std::shared_ptr<const tunnel>>& tunnels)
      : owner_(owner), io_(std::make_unique<asio::io_context>(1)) {
    for (const auto& t : tunnels) {
      listeners_.push_back({t, std::make_shared<tcp::acceptor>(open_listener(*io_, *t))});
    }
  }

  void start() {
    for (const auto& one : listeners_) {
      asio::co_spawn(*io_, accept_connections(one), asio::detached);
    }
    thread_ = std::thread([this] { run(); });
  }

  void stop_accepting() {
    asio::post(*io_, [listeners = listeners_] {
      for (const auto& one : listeners) {
        error_code ignored;
        one.acceptor->close(ignored);
      }
    });
  }

  ~worker() {
    if (thread_.joinable()) {
      io_->stop();
      released_.count_down();
      thread_.join();
    }
  }

 private:
  struct listener {
    std::shared_ptr<const tunnel> through;
    std::shared_ptr<tcp::acceptor> acceptor;
  };

  void run() {
    {
      const auto work = asio::make_work_guard(*io_);
      io_->run();
    }
    // Connections go with their io_context; suspended handshakes unwind here, on the thread that
    // started their jobs. Not before the destructor has let go of the io_context.
    released_.wait();
    listeners_.clear();
    io_.reset();
    ASYNC_cleanup_thread();
    OPENSSL_thread_stop();
  }

  asio::awaitable<void> accept_connections(listener on) {
    asio::steady_timer timer(*io_);
    auto pause = min_accept_pause;
    while (on.acceptor->is_open()) {
      error_code ec;
      tcp::socket socket =
          co_await on.acceptor->async_accept(asio::redirect_error(asio::use_awaitable, ec));
      if (!ec) {
        pause = min_accept_pause;
        asio::co_spawn(*io_, serve(std::move(socket), on.through), asio::detached);
        continue;
      }
      if (!on.acceptor->is_open()) {
        co_return;
      }
      log(spdlog::level::warn, "tunnel \"" + on.through->name +
                                   "\" cannot accept: " + ec.message() + "; next try in " +
                                   std::to_string(pause.count()) + " ms");
      timer.expires_after(pause);
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      pause = std::min(pause * 2, max_accept_pause);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket, std::shared_ptr<const tunnel> through) {
    ++owner_.live_;
    co_await run_session(std::move(socket), std::move(through), owner_.next_connection_++);
    --owner_.live_;
  }

  service& owner_;
  std::unique_ptr<asio::io_context> io_;
  std::vector<listener> listeners_;
  std::latch released_{1};
  std::thread thread_;
};

service::service(std::vector<std::shared_ptr<const tunnel>> tunnels, unsigned threads) {
  for (const auto& t : tunnels) {
    check_address_free(*t);
  }
  for (unsigned i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<worker>(*this, tunnels));
  }
  for (const auto& one : workers_) {
    one->start();
  }
}

service::~service() = default;

bool service::drain(std::chrono::milliseconds patience) {
  for (const auto& one : workers_) {
    one->stop_accepting();
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (live_ != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return live_ == 0;
}

}  // namespace atls::proxy
