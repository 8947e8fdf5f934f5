// All tunnels on all threads.
#pragma once

#include "proxy/tunnel.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <vector>

namespace atls::proxy {

class listener;

/// Thread per core: each has its own io_context and its own SO_REUSEPORT listeners; a connection
/// never changes thread.
class service {
 public:
  /// Listens; throws atls::error naming the tunnel whose address cannot be had.
  /// `max_connections` of all tunnels together; more wait to be served. 0: no limit.
  service(std::vector<std::shared_ptr<const tunnel>> tunnels, unsigned threads,
          std::size_t max_connections = 0);
  /// Stops and joins.
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Accepts no more, waits for the connections there are, at most `patience`. True if all ended.
  bool drain(std::chrono::milliseconds patience);

  /// From now on each thread shows at this interval that it runs. At most once.
  void start_heartbeats(std::chrono::milliseconds interval);
  /// How long the quietest thread has not shown that it runs.
  std::chrono::milliseconds longest_silence() const noexcept;

  /// Accepted so far.
  std::uint64_t connections() const noexcept { return next_connection_ - 1; }

 private:
  class worker;

  /// How many connections there are and may be, over all threads.
  struct places {
    std::size_t limit = 0;
    std::atomic<std::size_t> taken = 0;

    bool take() noexcept;
  };
  /// One of the tunnel's and one of all.
  bool take_place(places& of_tunnel) noexcept;
  void leave_place(places& of_tunnel) noexcept;

  std::atomic<std::uint64_t> next_connection_ = 1;
  places all_;
  std::map<const tunnel*, places> places_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::vector<std::unique_ptr<worker>> workers_;
};

}  // namespace atls::proxy
