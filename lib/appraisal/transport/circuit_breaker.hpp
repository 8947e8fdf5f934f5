// Whether to ask a server that has failed lately.
#pragma once

#include "core/wait.hpp"

#include <algorithm>

namespace atls {

/// Opens after some failures in a row; then one trial at a time, at growing intervals. Not
/// thread-safe.
class circuit_breaker {
 public:
  static constexpr int failures_to_open = 3;
  static constexpr std::chrono::milliseconds first_pause{500};
  static constexpr std::chrono::milliseconds longest_pause{2000};

  /// Whether a request may go now; if it was open, the caller's is the trial.
  bool admits(steady_time now) noexcept {
    if (!is_open()) {
      return true;
    }
    if (now < next_trial_) {
      return false;
    }
    next_trial_ = now + pause_;
    return true;
  }

  bool is_open() const noexcept { return failures_ >= failures_to_open; }

  void succeeded() noexcept {
    failures_ = 0;
    pause_ = first_pause;
  }

  void failed(steady_time now) noexcept {
    if (++failures_ > failures_to_open) {
      pause_ = std::min(pause_ * 2, longest_pause);
    }
    next_trial_ = now + pause_;
  }

 private:
  int failures_ = 0;
  std::chrono::milliseconds pause_ = first_pause;
  steady_time next_trial_{};
};

}  // namespace atls
