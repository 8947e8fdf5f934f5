// How many connections there may be.
#pragma once

#include "proxy/async.hpp"

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace atls::proxy {

/// Counted over all threads; takes no lock while nobody waits.
class quota {
 public:
  class share;

  /// From any thread. 0: no limit.
  void set_limit(std::size_t limit);

 private:
  class waiter;

  bool try_take() noexcept;
  void give_back() noexcept;
  awaitable<bool> take(executor where, steady_time until);
  void wake_next() noexcept;

  std::atomic<std::size_t> limit_ = 0;
  std::atomic<std::size_t> taken_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::mutex mutex_;
  /// Oldest first; under the mutex.
  std::list<std::shared_ptr<wake_up>> waiters_;
};

/// One of what a quota allows; given back when this is destroyed.
class quota::share {
 public:
  share() = default;
  share(share&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  share& operator=(share&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  ~share();

  /// Waits for one, first come, first served; false if there is none until then. Nothing may be
  /// held yet.
  awaitable<bool> take(std::shared_ptr<quota> from, executor where, steady_time until);

 private:
  std::shared_ptr<quota> of_;
};

/// A tunnel's connections count for the tunnel and for all of them together.
struct connection_quotas {
  std::shared_ptr<quota> all;
  std::shared_ptr<quota> tunnel;
  /// Of an egress tunnel: handshakes under way at a time, so that a burst of applications keeps to
  /// what the peer allows one source.
  std::shared_ptr<quota> handshakes;
};

/// One connection's part of `all` and `tunnel`, until it is destroyed.
class counted_connection {
 public:
  /// Waits for both; false if they are not to be had until then.
  awaitable<bool> take(const connection_quotas& from, executor where, steady_time until);

 private:
  quota::share of_tunnel_;
  quota::share of_all_;
};

}  // namespace atls::proxy
