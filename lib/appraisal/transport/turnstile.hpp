// Lets some in at a time; the others wait until their deadline, in a queue that is fair between
// sources.
#pragma once

#include "core/fair_queue.hpp"
#include "core/wait.hpp"

#include <functional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atls {

/// Used on the thread of its io_context only.
class turnstile {
 public:
  turnstile(boost::asio::io_context& io, std::size_t places, std::size_t max_waiting)
      : io_(io), free_(places), max_waiting_(max_waiting) {}

  /// Being inside; its end lets the next one in. The turnstile outlives it.
  class place {
   public:
    explicit place(turnstile& of) : of_(&of) {}
    place(place&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    place& operator=(place&&) = delete;
    ~place() {
      if (of_ != nullptr) {
        of_->leave();
      }
    }

   private:
    turnstile* of_;
  };

  /// verifier_overloaded if too many wait, or if the turn did not come before the deadline;
  /// cancelled, some time, if `is_abandoned`.
  boost::asio::awaitable<result<place>> enter(std::string source, steady_time deadline,
                                              std::function<bool()> is_abandoned) {
    if (free_ != 0) {
      --free_;
      co_return place(*this);
    }
    if (!has_room_for(source)) {
      co_return failure(errc::verifier_overloaded, std::to_string(max_waiting_) + " are waiting");
    }
    const auto self = std::make_shared<waiter>(io_, deadline, std::move(is_abandoned));
    waiting_.push(source, self);
    co_await self->turn.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (!self->outcome) {
      waiting_.remove_if([&](const auto& one) { return one == self; });
      co_return failure(errc::verifier_overloaded, "its turn did not come in time");
    }
    if (*self->outcome != errc::ok) {
      co_return failure(*self->outcome);
    }
    co_return place(*this);
  }

 private:
  struct waiter {
    waiter(boost::asio::io_context& io, steady_time deadline, std::function<bool()> gone)
        : turn(io, deadline), is_abandoned(std::move(gone)) {}

    void end_with(errc how) {
      outcome = how;
      turn.cancel();
    }

    boost::asio::steady_timer turn;
    std::function<bool()> is_abandoned;
    /// Absent while it waits; errc::ok: it is inside.
    std::optional<errc> outcome;
  };

  bool has_room_for(const std::string& source) {
    if (waiting_.size() >= max_waiting_) {
      waiting_.remove_if([](const auto& one) {
        const bool is_gone = one->is_abandoned();
        if (is_gone) {
          one->end_with(errc::cancelled);
        }
        return is_gone;
      });
    }
    if (waiting_.size() < max_waiting_) {
      return true;
    }
    const auto ousted = waiting_.make_room_for(source);
    if (ousted) {
      (*ousted)->end_with(errc::verifier_overloaded);
    }
    return ousted.has_value();
  }

  void leave() {
    while (!waiting_.empty()) {
      const auto next = waiting_.pop();
      if (!next->is_abandoned()) {
        next->end_with(errc::ok);  // the place passes on
        return;
      }
      next->end_with(errc::cancelled);
    }
    ++free_;
  }

  boost::asio::io_context& io_;
  std::size_t free_;
  const std::size_t max_waiting_;
  fair_queue<std::shared_ptr<waiter>> waiting_;
};

}  // namespace atls
