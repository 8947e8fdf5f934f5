// Lets some in at a time, in the order of arrival; the others wait until their deadline.
#pragma once

#include "core/wait.hpp"

#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atls {

/// Used on the thread of its io_context only.
class turnstile {
 public:
  turnstile(boost::asio::io_context& io, std::size_t places) : io_(io), free_(places) {}

  /// True once inside; false if the deadline came first. Who is inside must leave().
  boost::asio::awaitable<bool> enter(steady_time deadline) {
    if (free_ != 0) {
      --free_;
      co_return true;
    }
    const auto self = waiting_.emplace(waiting_.end(), io_, deadline);
    co_await self->turn.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const bool is_in = self->is_in;
    waiting_.erase(self);
    co_return is_in;
  }

  void leave() {
    for (auto& next : waiting_) {
      if (!next.is_in) {
        // The place passes on.
        next.is_in = true;
        next.turn.cancel();
        return;
      }
    }
    ++free_;
  }

 private:
  struct waiter {
    waiter(boost::asio::io_context& io, steady_time deadline) : turn(io, deadline) {}
    boost::asio::steady_timer turn;
    bool is_in = false;
  };

  boost::asio::io_context& io_;
  std::size_t free_;
  std::list<waiter> waiting_;
};

}  // namespace atls
