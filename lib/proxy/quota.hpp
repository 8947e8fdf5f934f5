// How many connections there may be.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace atls::proxy {

/// Counted over all threads without a lock. 0: no limit.
class quota {
 public:
  void set_limit(std::size_t limit) noexcept { limit_ = limit; }

  bool try_take() noexcept {
    const auto most = limit_.load();
    if (taken_++ < most || most == 0) {
      return true;
    }
    --taken_;
    return false;
  }
  void give_back() noexcept { --taken_; }
  bool is_exhausted() const noexcept {
    const auto most = limit_.load();
    return most != 0 && taken_ >= most;
  }

 private:
  std::atomic<std::size_t> limit_ = 0;
  std::atomic<std::size_t> taken_ = 0;
};

/// A tunnel's connections count for the tunnel and for all of them together.
struct connection_quotas {
  std::shared_ptr<quota> all;
  std::shared_ptr<quota> tunnel;

  bool are_exhausted() const noexcept { return all->is_exhausted() || tunnel->is_exhausted(); }
};

/// One connection's part of both, until it is destroyed.
class counted_connection {
 public:
  counted_connection() = default;
  counted_connection(counted_connection&& other) noexcept : of_(std::exchange(other.of_, {})) {}
  counted_connection& operator=(counted_connection&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  ~counted_connection() {
    if (of_.all) {
      of_.tunnel->give_back();
      of_.all->give_back();
    }
  }

  /// False if one of the quotas is exhausted.
  bool try_take(const connection_quotas& from) noexcept {
    if (!from.all->try_take()) {
      return false;
    }
    if (!from.tunnel->try_take()) {
      from.all->give_back();
      return false;
    }
    of_ = from;
    return true;
  }

 private:
  connection_quotas of_;
};

}  // namespace atls::proxy
