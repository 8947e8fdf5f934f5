#include "proxy/quota.hpp"

namespace atls::proxy {

// An entry of the list. Whoever was woken and goes without taking wakes the next.
class quota::waiter {
 public:
  waiter(quota& of, const executor& where) : of_(of), wake_(std::make_shared<wake_up>(where)) {
    const std::lock_guard lock(of_.mutex_);
    of_.waiters_.push_back(wake_);
    ++of_.waiting_;
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() {
    const std::lock_guard lock(of_.mutex_);
    const bool was_woken = std::erase(of_.waiters_, wake_) == 0;
    if (!was_woken) {
      --of_.waiting_;
    } else if (!has_taken_) {
      of_.wake_next();
    }
  }

  bool try_take() noexcept {
    has_taken_ = of_.try_take();
    return has_taken_;
  }
  awaitable<bool> wait(steady_time until) { return wake_->wait(until); }

 private:
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
  for (;;) {
    waiter self(*this, where);
    // Given back, perhaps, before this one was in the list.
    if (self.try_take()) {
      co_return true;
    }
    const bool is_woken = co_await self.wait(until);
    if (self.try_take()) {
      co_return true;
    }
    if (!is_woken) {
      co_return false;
    }
  }
}

quota::share::~share() {
  if (of_) {
    of_->give_back();
  }
}

awaitable<bool> quota::share::take(std::shared_ptr<quota> from, executor where, steady_time until) {
  if (!co_await from->take(where, until)) {
    co_return false;
  }
  of_ = std::move(from);
  co_return true;
}

awaitable<bool> counted_connection::take(const connection_quotas& from, executor where,
                                         steady_time until) {
  quota::share of_tunnel;
  quota::share of_all;
  if (!co_await of_tunnel.take(from.tunnel, where, until) ||
      !co_await of_all.take(from.all, where, until)) {
    co_return false;
  }
  of_tunnel_ = std::move(of_tunnel);
  of_all_ = std::move(of_all);
  co_return true;
}

}  // namespace atls::proxy
