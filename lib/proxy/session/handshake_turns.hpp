// The share of a thread's time that handshakes get.
#pragma once

#include "core/fair_queue.hpp"
#include "proxy/async.hpp"

namespace atls::proxy {

/// One step of one handshake in each turn of the thread's loop, so that established connections
/// wait for one step at most. Sources take turns. Used on one thread only.
class handshake_turns {
 public:
  explicit handshake_turns(const executor& where) : where_(where) {}

  /// One connection's way to its turns; it may be cancelled while it waits.
  class waiter {
   public:
    explicit waiter(const executor& where) : granted_(where) {}
    /// take() returns without a turn, now and from now on. On the same thread.
    void cancel() {
      is_cancelled_ = true;
      granted_.raise_here();
    }

   private:
    friend class handshake_turns;
    wake_up granted_;
    bool has_turn_ = false;
    bool is_cancelled_ = false;
  };

  /// Whether it is the caller's turn; false if `by` was cancelled. Who has it must give it back
  /// before it waits for anything.
  awaitable<bool> take(std::shared_ptr<waiter> by, const std::string& source);
  /// Whoever waits next gets it, behind all that is ready to run now.
  void give_back();

 private:
  void pass_on();

  executor where_;
  bool is_taken_ = false;
  fair_queue<std::shared_ptr<waiter>> waiting_;
};

}  // namespace atls::proxy
