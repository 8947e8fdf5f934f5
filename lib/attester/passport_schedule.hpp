// When a passport is to be asked for. Pure: time and chance come in.
#pragma once

#include "core/wait.hpp"

namespace atls {

/// Renewal at about half of what is left of a passport's life; after failures at growing intervals.
/// Machines that start together do not ask together: every interval is up to a tenth longer or
/// shorter. Not thread-safe.
class passport_schedule {
 public:
  static constexpr std::chrono::milliseconds first_pause{1000};
  static constexpr std::chrono::milliseconds longest_pause{60'000};
  /// Between two attempts, however short a passport's life is.
  static constexpr std::chrono::milliseconds shortest_pause{500};

  /// A passport was issued, and may be used for another `life`. `chance`: -1 to 1, at random.
  void issued(steady_time now, std::chrono::milliseconds life, double chance);
  /// An attempt failed.
  void failed(steady_time now, double chance);

  /// The first one is due at once.
  steady_time next_attempt() const noexcept { return next_; }
  /// Now, or since the last passport has lapsed before its renewal: the clock was set, or the
  /// machine slept.
  bool is_due(steady_time now, bool has_valid) const noexcept {
    return now >= next_ || (!has_valid && !is_backing_off_);
  }

 private:
  void wait(steady_time now, std::chrono::milliseconds about, double chance);

  steady_time next_{};
  std::chrono::milliseconds pause_ = first_pause;
  bool is_backing_off_ = false;
};

}  // namespace atls
