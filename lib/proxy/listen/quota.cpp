#include "proxy/listen/quota.hpp"

#include <algorithm>

namespace atls::proxy {

// Somebody who may stand in the list. Whoever was woken and goes without taking wakes the next.
class quota::waiter {
 public:
  waiter(quota& of, const executor& where) : of_(of), wake_(std::make_shared<wake_up>(where)) {}
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() {
    const std::lock_guard lock(of_.mutex_);
    if (std::erase(of_.waiters_, wake_) != 0) {
      --of_.waiting_;
    } else if (!has_taken_) {
      of_.wake_next();
    }
  }

  /// Stands in the list if there is none.
  bool try_take() {
    // Again, for one that was given back before this one stood there.
    has_taken_ = of_.try_take() || (stand_in_list() && of_.try_take());
    return has_taken_;
  }
  bool has_taken() const noexcept { return has_taken_; }
  awaitable<bool> wait(steady_time until) { return wake_->wait(until); }

 private:
  bool stand_in_list() {
    const std::lock_guard lock(of_.mutex_);
    if (std::ranges::find(of_.waiters_, wake_) == of_.waiters_.end()) {
      of_.waiters_.push_back(wake_);
      ++of_.waiting_;
    }
    return true;
  }

  quota& of_;
  const std::shared_ptr<wake_up> wake_;
  bool has_taken_ = false;
};

void quota::set_limit(std::size_t limit) {
  limit_ = limit;
  const std::lock_guard lock(mutex_);
  for (auto left = waiters_.size(); left > 0; --left) {
    wake_next();
  }
}

bool quota::try_take() noexcept {
  const auto most = limit_.load();
  if (taken_++ < most || most == 0) {
    return true;
  }
  --taken_;
  return false;
}

void quota::give_back() noexcept {
  --taken_;
  if (waiting_ != 0) {
    const std::lock_guard lock(mutex_);
    wake_next();
  }
}

// Under the mutex.
void quota::wake_next() noexcept {
  if (!waiters_.empty()) {
    waiters_.front()->raise();
    waiters_.pop_front();
    --waiting_;
  }
}

awaitable<bool> quota::take(executor where, steady_time until) {
  if (waiting_ == 0 && try_take()) {
    co_return true;
  }
  waiter self(*this, where);
  bool is_in_time = true;
  while (!self.try_take() && is_in_time) {
    is_in_time = co_await self.wait(until);
  }
  co_return self.has_taken();
}

quota::share::~share() {
  if (of_) {
    of_->give_back();
  }
}

awaitable<bool> quota::share::take(std::shared_ptr<quota> from, executor where, steady_time until) {
  const bool is_taken = co_await from->take(where, until);
  if (is_taken) {
    of_ = std::move(from);
  }
  co_return is_taken;
}

awaitable<bool> counted_connection::take(const connection_quotas& from, executor where,
                                         steady_time until) {
  quota::share of_tunnel;
  quota::share of_all;
  bool is_taken = co_await of_tunnel.take(from.tunnel, where, until);
  if (is_taken) {
    is_taken = co_await of_all.take(from.all, where, until);
  }
  if (is_taken) {
    of_tunnel_ = std::move(of_tunnel);
    of_all_ = std::move(of_all);
  }
  co_return is_taken;
}

}  // namespace atls::proxy
