// All tunnels on all threads.
#pragma once

#include "proxy/listen/admission.hpp"
#include "proxy/listen/listener.hpp"
#include "proxy/listen/quota.hpp"
#include "proxy/session/live_connections.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace atls::proxy {

/// Thread per core: each has its own io_context and its own SO_REUSEPORT listeners; a connection
/// never changes thread.
class service {
 public:
  /// Where a tunnel listens, and how many connections it may have.
  struct listen_spec {
    std::string tunnel;
    address listen;
    bool transparent = false;
    std::size_t max_connections = 0;
  };

  /// Binds; throws atls::error naming the tunnel whose address cannot be had. No thread runs yet.
  service(const std::vector<listen_spec>& specs, unsigned threads,
          listener::beside other = listener::beside::nobody);
  /// Stops and joins.
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  struct connection_limits {
    /// Of all tunnels together; more wait to be served. 0: no limit.
    std::size_t connections = 0;
    admission_limits before_verdict;
  };

  /// Starts to serve, once: a tunnel for each listen spec, by name.
  void start(std::shared_ptr<const tunnel_set> tunnels, const connection_limits& limits);

  /// Another configuration instead. Addresses that stay keep their sockets and lose no connection.
  /// Live connections are judged by the new tunnels. Throws as the constructor does, and nothing
  /// has changed then.
  void reconfigure(const std::vector<listen_spec>& specs, std::shared_ptr<const tunnel_set> tunnels,
                   const connection_limits& limits);

  /// What the kernel has begun to accept is still served. To be called once, and nothing else
  /// after.
  void stop_accepting();
  /// Nothing is open, after stop_accepting().
  bool is_drained() const noexcept { return open_sockets_ == 0 && in_hand_ == 0; }

  /// From now on each thread shows at this interval that it runs, and one of them calls `beat` with
  /// how long the quietest of all has not. At most once.
  void start_heartbeats(std::chrono::milliseconds interval,
                        std::function<void(std::chrono::milliseconds)> beat);

  /// Accepted so far.
  std::uint64_t connections() const noexcept { return next_connection_ - 1; }
  /// Not ended yet.
  std::size_t open_connections() const noexcept { return in_hand_; }
  /// Of these, peers before their verdict.
  admission::counters half_open() const { return before_verdict_->count(); }

 private:
  class worker;

  /// A listen spec whose sockets are open: its name may change with the configuration, its address
  /// does not.
  struct endpoint {
    address at;
    bool transparent;
    std::unique_ptr<listener> listening;
    std::string tunnel;
    std::shared_ptr<quota> connections = std::make_shared<quota>();
    std::shared_ptr<quota> handshakes = std::make_shared<quota>();

    bool is(const listen_spec& other) const;
  };
  using endpoints = std::vector<std::shared_ptr<endpoint>>;
  /// One thread's.
  using opened_endpoints = std::vector<std::pair<std::shared_ptr<endpoint>, acceptor>>;

  std::shared_ptr<endpoint> make_endpoint(const listen_spec& from, listener::beside other) const;
  /// For each thread; no client is lost from here on. Throws as the constructor does.
  std::vector<opened_endpoints> open(const endpoints& these);
  /// On each thread; returns when all do.
  void use(const endpoints& all, std::vector<opened_endpoints> opened,
           std::shared_ptr<const tunnel_set> tunnels);
  void use_limits(const connection_limits& limits);
  std::chrono::milliseconds longest_silence() const noexcept;

  const unsigned threads_;
  std::atomic<std::uint64_t> next_connection_ = 1;
  /// Accepted and not ended, whether they have a place or wait for one.
  std::atomic<std::size_t> in_hand_ = 0;
  /// Listening sockets of all threads that have not been closed.
  std::atomic<std::size_t> open_sockets_ = 0;
  /// Of these, how many are about to be.
  std::atomic<std::size_t> closing_ = 0;
  const std::shared_ptr<quota> all_ = std::make_shared<quota>();
  const std::shared_ptr<admission> before_verdict_ = std::make_shared<admission>();
  endpoints endpoints_;
  std::vector<std::unique_ptr<worker>> workers_;
};

}  // namespace atls::proxy
