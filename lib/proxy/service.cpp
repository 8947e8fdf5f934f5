#include "proxy/service.hpp"

#include "core/buffers.hpp"
#include "proxy/listener.hpp"
#include "proxy/log.hpp"
#include "proxy/session.hpp"

#include <latch>
#include <malloc.h>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <openssl/async.h>
#include <openssl/crypto.h>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto min_accept_pause = std::chrono::milliseconds(5);
constexpr auto max_accept_pause = std::chrono::milliseconds(1000);
constexpr auto look_for_place = std::chrono::milliseconds(10);
constexpr auto full_warning_interval = std::chrono::seconds(10);

}  // namespace

// One thread, its io_context, its listeners, its connections.
class service::worker {
 public:
  worker(service& owner, const std::vector<std::unique_ptr<listener>>& listeners)
      : owner_(owner), io_(std::make_unique<asio::io_context>(1)) {
    for (const auto& one : listeners) {
      for (auto& opened : one->open(io_->get_executor())) {
        entrances_.push_back(
            std::make_shared<entrance>(entrance{one->through(), std::move(opened)}));
      }
    }
  }

  void start() {
    for (const auto& one : entrances_) {
      asio::co_spawn(io_->get_executor(), accept_connections(one), asio::detached);
    }
    thread_ = std::thread([this] { run(); });
  }

  void start_heartbeats(std::chrono::milliseconds interval) {
    last_beat_ = std::chrono::steady_clock::now();
    asio::co_spawn(io_->get_executor(), beat(interval), asio::detached);
  }
  steady_time last_beat() const noexcept { return last_beat_; }

  void stop_accepting() {
    asio::post(*io_, [entrances = entrances_] {
      for (const auto& one : entrances) {
        error_code ignored;
        one->listening.close(ignored);
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
  struct entrance {
    std::shared_ptr<const tunnel> through;
    acceptor listening;
    steady_time next_full_warning{};
  };

  void run() {
    {
      const auto work = asio::make_work_guard(*io_);
      io_->run();
    }
    // Connections go with their io_context; suspended handshakes unwind here, on the thread that
    // started their jobs. Not before the destructor has let go of the io_context.
    released_.wait();
    entrances_.clear();
    io_.reset();
    ASYNC_cleanup_thread();
    OPENSSL_thread_stop();
  }

  awaitable<> accept_connections(std::shared_ptr<entrance> at) {
    timer pause(io_->get_executor());
    auto length = min_accept_pause;
    while (at->listening.is_open()) {
      error_code ec;
      stream_socket accepted = co_await at->listening.async_accept(resume_with(ec));
      if (!ec) {
        length = min_accept_pause;
        co_await wait_for_place(*at);
        asio::co_spawn(io_->get_executor(), serve(std::move(accepted), at), asio::detached);
        continue;
      }
      if (!at->listening.is_open()) {
        co_return;
      }
      log(spdlog::level::warn, "tunnel \"" + at->through->name +
                                   "\" cannot accept: " + ec.message() + "; next try in " +
                                   std::to_string(length.count()) + " ms");
      pause.expires_after(length);
      co_await pause.async_wait(resume_with(ec));
      length = std::min(length * 2, max_accept_pause);
    }
  }

  awaitable<> beat(std::chrono::milliseconds interval) {
    timer pause(io_->get_executor());
    for (;;) {
      last_beat_ = std::chrono::steady_clock::now();
      pause.expires_after(interval);
      error_code ignored;
      co_await pause.async_wait(resume_with(ignored));
    }
  }

  // Meanwhile further connections wait in the listener's backlog.
  awaitable<> wait_for_place(entrance& at) {
    timer pause(io_->get_executor());
    while (!owner_.take_place(owner_.places_[at.through.get()])) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= at.next_full_warning) {
        at.next_full_warning = now + full_warning_interval;
        log(spdlog::level::warn,
            "tunnel \"" + at.through->name + "\" is full: connections wait (max_connections)");
      }
      pause.expires_after(look_for_place);
      error_code ignored;
      co_await pause.async_wait(resume_with(ignored));
    }
  }

  awaitable<> serve(stream_socket accepted, std::shared_ptr<entrance> at) {
    co_await run_session(std::move(accepted), at->through, owner_.next_connection_++);
    owner_.leave_place(owner_.places_[at->through.get()]);
    trim_memory_at_times();
  }

  service& owner_;
  std::unique_ptr<asio::io_context> io_;
  std::vector<std::shared_ptr<entrance>> entrances_;
  std::atomic<steady_time> last_beat_{steady_time{}};
  std::latch released_{1};
  std::thread thread_;
};

bool service::places::take() noexcept {
  if (taken++ < limit || limit == 0) {
    return true;
  }
  --taken;
  return false;
}

bool service::take_place(places& of_tunnel) noexcept {
  if (!all_.take()) {
    return false;
  }
  if (of_tunnel.take()) {
    return true;
  }
  --all_.taken;
  return false;
}

void service::leave_place(places& of_tunnel) noexcept {
  --of_tunnel.taken;
  --all_.taken;
}

service::service(std::vector<std::shared_ptr<const tunnel>> tunnels, unsigned threads,
                 std::size_t max_connections) {
  all_.limit = max_connections;
  for (auto& t : tunnels) {
    places_[t.get()].limit = t->max_connections;
    listeners_.push_back(std::make_unique<listener>(std::move(t)));
  }
  for (unsigned i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<worker>(*this, listeners_));
  }
  for (const auto& one : workers_) {
    one->start();
  }
}

service::~service() = default;

void service::start_heartbeats(std::chrono::milliseconds interval) {
  for (const auto& one : workers_) {
    one->start_heartbeats(interval);
  }
}

std::chrono::milliseconds service::longest_silence() const noexcept {
  auto oldest = std::chrono::steady_clock::now();
  const auto now = oldest;
  for (const auto& one : workers_) {
    oldest = std::min(oldest, one->last_beat());
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - oldest);
}

bool service::drain(std::chrono::milliseconds patience) {
  for (const auto& one : workers_) {
    one->stop_accepting();
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (all_.taken != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return all_.taken == 0;
}

}  // namespace atls::proxy
