#include "proxy/session/handshake_turns.hpp"

#include <boost/asio/post.hpp>

namespace atls::proxy {

awaitable<bool> handshake_turns::take(std::shared_ptr<waiter> by, const std::string& source) {
  by->has_turn_ = false;
  if (by->is_cancelled_) {
    co_return false;
  }
  if (!std::exchange(is_taken_, true)) {
    co_return true;
  }
  waiting_.push(source, by);
  while (!by->has_turn_ && !by->is_cancelled_) {
    co_await by->granted_.wait();
  }
  if (by->has_turn_ && by->is_cancelled_) {
    give_back();
  }
  co_return !by->is_cancelled_;
}

void handshake_turns::give_back() {
  boost::asio::post(where_, [this] { pass_on(); });
}

void handshake_turns::pass_on() {
  while (!waiting_.empty()) {
    const auto next = waiting_.pop();
    if (!next->is_cancelled_) {
      next->has_turn_ = true;
      next->granted_.raise_here();
      return;
    }
  }
  is_taken_ = false;
}

}  // namespace atls::proxy
