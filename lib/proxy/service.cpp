#include "proxy/service.hpp"

#include "core/attempt.hpp"
#include "core/buffers.hpp"
#include "core/memory_reserve.hpp"
#include "proxy/log.hpp"
#include "proxy/session/session.hpp"

#include <algorithm>
#include <exception>
#include <latch>
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
constexpr auto full_warning_interval = std::chrono::seconds(10);
// What the kernel has begun to accept is still served when a listener closes: closing its socket
// would reset it.
constexpr auto closing_time = std::chrono::milliseconds(100);
// For a reload that wants back an address which is being closed.
constexpr auto most_closing_time = std::chrono::seconds(1);

}  // namespace

// One thread, its io_context, its listeners, its connections.
class service::worker {
 public:
  worker(service& owner, unsigned number)
      : owner_(owner), number_(number), io_(std::make_unique<asio::io_context>(1)) {}

  /// The acceptors of an endpoint, to be given to reconfigure(). From any thread.
  std::vector<acceptor> open(const endpoint& at) const {
    return at.listening->open(io_->get_executor(), number_);
  }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  template <class Run>
  void post(Run run) {
    asio::post(*io_, std::move(run));
  }

  /// On this worker's thread.
  void start_heartbeats(std::chrono::milliseconds interval, std::function<void()> beat) {
    asio::co_spawn(io_->get_executor(), beat_at(interval, std::move(beat)), asio::detached);
  }
  steady_time last_beat() const noexcept { return last_beat_; }

  // The rest on this worker's thread.

  void reconfigure(const endpoints& wanted, opened_endpoints opened,
                   const std::shared_ptr<const tunnel_set>& tunnels) {
    for (const auto& one : accept_loops_) {
      if (std::ranges::find(wanted, one->of) == wanted.end()) {
        close(one);
      } else if (!one->is_closing) {
        one->through = tunnels->at(one->of->tunnel);
      }
    }
    for (auto& [of, listening] : opened) {
      const auto& made = accept_loops_.emplace_back(std::make_shared<accept_loop>(
          accept_loop{of, tunnels->at(of->tunnel), std::move(listening)}));
      ++owner_.open_sockets_;
      asio::co_spawn(io_->get_executor(), accept_connections(made), asio::detached);
    }
    live_.judge_by(tunnels);
  }

  void stop_accepting() {
    for (const auto& one : accept_loops_) {
      close(one);
    }
  }

  ~worker() {
    if (thread_.joinable()) {
      io_->stop();
      released_.count_down();
      thread_.join();
    }
  }

 private:
  struct accept_loop {
    std::shared_ptr<endpoint> of;
    std::shared_ptr<const tunnel> through;
    acceptor listening;
    steady_time next_full_warning{};
    bool is_closing = false;
  };

  void run() {
    {
      const auto work = asio::make_work_guard(*io_);
      run_to_the_end(*io_);
    }
    // Connections go with their io_context; suspended handshakes unwind here, on the thread that
    // started their jobs. Not before the destructor has let go of the io_context.
    released_.wait();
    accept_loops_.clear();
    io_.reset();
    ASYNC_cleanup_thread();
    OPENSSL_thread_stop();
  }

  awaitable<> accept_connections(std::shared_ptr<accept_loop> at) {
    timer pause(io_->get_executor());
    auto length = min_accept_pause;
    while (at->listening.is_open()) {
      try {
        co_await accept_or_pause(*at, pause, length);
      } catch (const std::exception& e) {
        // Not even the memory to wait with.
        warn_that_it_cannot_accept(*at, e.what(), min_accept_pause);
        std::this_thread::sleep_for(min_accept_pause);
      }
    }
  }

  awaitable<> accept_or_pause(accept_loop& at, timer& pause, std::chrono::milliseconds& length) {
    const std::string problem = co_await accept_one(at);
    if (problem.empty()) {
      length = min_accept_pause;
      co_return;
    }
    if (!at.listening.is_open()) {
      co_return;
    }
    warn_that_it_cannot_accept(at, problem, length);
    pause.expires_after(length);
    error_code ignored;
    co_await pause.async_wait(resume_with(ignored));
    length = std::min(length * 2, max_accept_pause);
  }

  // Why not, if it could not: out of descriptors, out of memory.
  awaitable<std::string> accept_one(accept_loop& at) {
    if (!memory_reserve::is_there()) {
      co_return "out of memory";
    }
    try {
      error_code ec;
      stream_socket accepted = co_await at.listening.async_accept(resume_with(ec));
      if (ec) {
        co_return ec.message();
      }
      co_await serve_in_turn(at, std::move(accepted));
    } catch (const std::exception& e) {
      co_return e.what();
    }
    co_return std::string();
  }

  static void warn_that_it_cannot_accept(const accept_loop& at, const std::string& why,
                                         std::chrono::milliseconds pause) noexcept {
    try {
      log(spdlog::level::warn, "tunnel \"" + at.through->name + "\" cannot accept: " + why +
                                   "; next try in " + std::to_string(pause.count()) + " ms");
    } catch (const std::exception&) {
      // Without memory there is no line either.
    }
  }

  void close(const std::shared_ptr<accept_loop>& at) {
    if (!std::exchange(at->is_closing, true)) {
      ++owner_.closing_;
      asio::co_spawn(io_->get_executor(), close_after_the_last(at), asio::detached);
    }
  }

  awaitable<> close_after_the_last(std::shared_ptr<accept_loop> at) {
    try {
      co_await accept_the_last(*at);
    } catch (const std::exception& e) {
      warn_that_it_cannot_accept(*at, e.what(), {});
    }
    error_code ignored;
    at->listening.close(ignored);
    std::erase(accept_loops_, at);
    --owner_.closing_;
    --owner_.open_sockets_;
  }

  awaitable<> accept_the_last(accept_loop& at) {
    timer pause(io_->get_executor(), closing_time);
    error_code ec;
    co_await pause.async_wait(resume_with(ec));
    at.listening.non_blocking(true, ec);
    while (!ec) {
      stream_socket accepted(io_->get_executor());
      at.listening.accept(accepted, ec);
      if (!ec) {
        co_await serve_in_turn(at, std::move(accepted));
      }
    }
  }

  awaitable<> beat_at(std::chrono::milliseconds interval, std::function<void()> beat) {
    timer pause(io_->get_executor());
    for (;;) {
      last_beat_ = std::chrono::steady_clock::now();
      if (beat) {
        beat();
      }
      pause.expires_after(interval);
      error_code ignored;
      co_await pause.async_wait(resume_with(ignored));
    }
  }

  // Further connections wait in the listener's backlog while there are as many as there may be. Of
  // ingress those count whose peers are admitted (admission.hpp has the others).
  awaitable<> serve_in_turn(accept_loop& at, stream_socket accepted) {
    auto session = std::make_shared<in_hand>(owner_);
    const connection_quotas quotas{owner_.all_, at.of->connections, at.of->handshakes};
    counted_connection counted;
    auto until = std::chrono::steady_clock::now();
    bool is_counted = false;
    while (!is_counted) {
      is_counted = co_await counted.take(quotas, io_->get_executor(), until);
      if (!is_counted) {
        warn_that_it_is_full(at);
        until = std::chrono::steady_clock::now() + full_warning_interval;
      }
    }
    if (!at.through->is_egress()) {
      counted = {};
    }
    asio::co_spawn(
        io_->get_executor(),
        serve(std::move(accepted), at.through, quotas, std::move(counted), std::move(session)),
        asio::detached);
  }

  static void warn_that_it_is_full(accept_loop& at) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= at.next_full_warning) {
      at.next_full_warning = now + full_warning_interval;
      log(spdlog::level::warn,
          "tunnel \"" + at.through->name + "\" is full: connections wait (max_connections)");
    }
  }

  // Counts a connection that was accepted until it has ended.
  struct in_hand {
    explicit in_hand(service& owner) : of(owner) { ++of.in_hand_; }
    ~in_hand() { --of.in_hand_; }
    in_hand(const in_hand&) = delete;
    in_hand& operator=(const in_hand&) = delete;
    service& of;
  };

  awaitable<> serve(stream_socket accepted, std::shared_ptr<const tunnel> through,
                    connection_quotas quotas, counted_connection counted,
                    std::shared_ptr<in_hand> session) {
    co_await run_session(accepted, std::move(through), owner_.next_connection_++, quotas, counted,
                         shared_);
    session.reset();
    trim_memory_at_times();
  }

  service& owner_;
  const unsigned number_;
  live_connections live_;
  std::unique_ptr<asio::io_context> io_;
  handshake_turns turns_{io_->get_executor()};
  session_resources shared_{owner_.before_verdict_, turns_, live_};
  std::vector<std::shared_ptr<accept_loop>> accept_loops_;
  std::atomic<steady_time> last_beat_{std::chrono::steady_clock::now()};
  std::latch released_{1};
  std::thread thread_;
};

bool service::endpoint::is(const listen_spec& other) const {
  return at.text() == other.listen.text() && transparent == other.transparent;
}

std::shared_ptr<service::endpoint> service::make_endpoint(const listen_spec& from,
                                                          listener::beside other) const {
  return std::make_shared<endpoint>(endpoint{
      from.listen, from.transparent,
      std::make_unique<listener>(from.tunnel, from.listen, from.transparent, threads_, other),
      from.tunnel});
}

service::service(const std::vector<listen_spec>& specs, unsigned threads, listener::beside other)
    : threads_(threads) {
  for (const auto& one : specs) {
    endpoints_.push_back(make_endpoint(one, other));
    endpoints_.back()->connections->set_limit(one.max_connections);
  }
}

service::~service() = default;

void service::start(std::shared_ptr<const tunnel_set> tunnels, const connection_limits& limits) {
  use_limits(limits);
  for (unsigned i = 0; i < threads_; ++i) {
    workers_.push_back(std::make_unique<worker>(*this, i));
    workers_.back()->start();
  }
  use(endpoints_, open(endpoints_), std::move(tunnels));
}

void service::reconfigure(const std::vector<listen_spec>& specs,
                          std::shared_ptr<const tunnel_set> tunnels,
                          const connection_limits& limits) {
  // An address may come back that was given up a moment ago.
  const auto deadline = std::chrono::steady_clock::now() + most_closing_time;
  while (closing_ != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  endpoints wanted;
  endpoints added;
  for (const auto& one : specs) {
    const auto found =
        std::ranges::find_if(endpoints_, [&](const auto& old) { return old->is(one); });
    if (found != endpoints_.end()) {
      wanted.push_back(*found);
    } else {
      wanted.push_back(added.emplace_back(make_endpoint(one, listener::beside::nobody)));
    }
  }
  auto opened = open(added);
  // From here on nothing fails but memory.
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i]->tunnel = specs[i].tunnel;
    wanted[i]->connections->set_limit(specs[i].max_connections);
  }
  endpoints_ = std::move(wanted);
  use_limits(limits);
  use(endpoints_, std::move(opened), std::move(tunnels));
}

void service::use_limits(const connection_limits& limits) {
  all_->set_limit(limits.connections);
  before_verdict_->use(limits.before_verdict);
  for (const auto& one : endpoints_) {
    one->handshakes->set_limit(limits.before_verdict.handshakes);
  }
}

std::vector<service::opened_endpoints> service::open(const endpoints& these) {
  std::vector<opened_endpoints> out(workers_.size());
  for (const auto& one : these) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      for (auto& opened : workers_[i]->open(*one)) {
        out[i].emplace_back(one, std::move(opened));
      }
    }
  }
  for (const auto& one : these) {
    one->listening->start();
  }
  return out;
}

void service::use(const endpoints& all, std::vector<opened_endpoints> opened,
                  std::shared_ptr<const tunnel_set> tunnels) {
  std::latch done(static_cast<std::ptrdiff_t>(workers_.size()));
  std::vector<std::exception_ptr> problems(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->post([&, i] {
      try {
        workers_[i]->reconfigure(all, std::move(opened[i]), tunnels);
      } catch (...) {
        problems[i] = std::current_exception();  // out of memory
      }
      done.count_down();
    });
  }
  done.wait();
  for (const auto& problem : problems) {
    if (problem) {
      std::rethrow_exception(problem);
    }
  }
}

void service::stop_accepting() {
  endpoints_.clear();
  for (const auto& one : workers_) {
    one->post([worker = one.get()] { worker->stop_accepting(); });
  }
}

void service::start_heartbeats(std::chrono::milliseconds interval,
                               std::function<void(std::chrono::milliseconds)> beat) {
  for (const auto& one : workers_) {
    std::function<void()> told;
    if (one == workers_.front()) {
      told = [this, beat] { beat(longest_silence()); };
    }
    one->post([worker = one.get(), interval, told] { worker->start_heartbeats(interval, told); });
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

}  // namespace atls::proxy
