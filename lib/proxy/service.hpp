// All tunnels on all threads.
#pragma once

#include "proxy/tunnel.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace atls::proxy {

class listener;

/// Thread per core: each has its own io_context and its own SO_REUSEPORT listeners; a connection
/// never changes thread.
class service {
 public:
  /// Listens; throws atls::error naming the tunnel whose address cannot be had.
  service(std::vector<std::shared_ptr<const tunnel>> tunnels, unsigned threads);
  /// Stops and joins.
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Accepts no more, waits for the connections there are, at most `patience`. True if all ended.
  bool drain(std::chrono::milliseconds patience);

  /// Accepted so far.
  std::uint64_t connections() const noexcept { return next_connection_ - 1; }

 private:
  class worker;

  std::atomic<std::uint64_t> next_connection_ = 1;
  std::atomic<std::size_t> live_ = 0;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::vector<std::unique_ptr<worker>> workers_;
};

}  // namespace atls::proxy
