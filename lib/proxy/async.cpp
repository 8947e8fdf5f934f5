#include "proxy/async.hpp"

#include <boost/asio/post.hpp>

namespace atls::proxy {

void wake_up::raise() {
  boost::asio::post(timer_.get_executor(), [self = weak_from_this()] {
    if (const auto alive = self.lock()) {
      alive->raise_here();
    }
  });
}

void wake_up::raise_here() {
  raised_ = true;
  if (is_awaited_) {
    timer_.cancel();
  }
}

awaitable<bool> wake_up::wait(steady_time until) {
  while (!raised_) {
    is_awaited_ = true;
    timer_.expires_at(until);
    boost::system::error_code ec;
    co_await timer_.async_wait(resume_with(ec));
    is_awaited_ = false;
    if (!ec) {
      break;
    }
  }
  co_return std::exchange(raised_, false);
}

time_limit::time_limit(const executor& where, steady_time at, std::function<void()> on_expiry)
    : state_(std::make_shared<state>(state{timer(where, at), std::move(on_expiry)})) {
  state_->until.async_wait([of = state_](boost::system::error_code ec) {
    if (!ec && of->on_expiry) {
      of->has_expired = true;
      of->on_expiry();
    }
  });
}

time_limit::~time_limit() {
  state_->on_expiry = nullptr;
  state_->until.cancel();
}

}  // namespace atls::proxy
