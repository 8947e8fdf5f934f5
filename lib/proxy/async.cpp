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

awaitable<> wake_up::wait() {
  while (!raised_) {
    is_awaited_ = true;
    boost::system::error_code ignored;
    co_await timer_.async_wait(resume_with(ignored));
    is_awaited_ = false;
  }
  raised_ = false;
}

}  // namespace atls::proxy
