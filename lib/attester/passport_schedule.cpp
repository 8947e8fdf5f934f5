#include "attester/passport_schedule.hpp"

#include <algorithm>

namespace atls {

void passport_schedule::issued(steady_time now, std::chrono::milliseconds life, double chance) {
  is_backing_off_ = false;
  pause_ = first_pause;
  wait(now, std::max(life / 2, shortest_pause), chance);
}

void passport_schedule::failed(steady_time now, double chance) {
  is_backing_off_ = true;
  wait(now, pause_, chance);
  pause_ = std::min(pause_ * 2, longest_pause);
}

void passport_schedule::wait(steady_time now, std::chrono::milliseconds about, double chance) {
  constexpr double spread = 0.1;
  const std::chrono::duration<double, std::milli> exact =
      about * (1 + spread * std::clamp(chance, -1.0, 1.0));
  next_ = now + std::chrono::duration_cast<std::chrono::milliseconds>(exact);
}

}  // namespace atls
