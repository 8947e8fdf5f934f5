// What atlsd knows of itself, for the admin endpoint: written by the main thread, read by others.
#pragma once

#include "atlsd/assembly.hpp"

#include <mutex>

namespace atls {

enum class life { initializing, listening, reloading, stopping };

/// "initializing", ...
std::string_view to_string(life stage);

class state {
 public:
  struct snapshot {
    life stage = life::initializing;
    std::chrono::system_clock::time_point since = std::chrono::system_clock::now();
    std::shared_ptr<const config> configuration;
    std::shared_ptr<const assembly> parts;

    struct reload {
      std::chrono::system_clock::time_point at;
      /// Empty: it succeeded.
      std::optional<failure> problem;
    };
    std::optional<reload> last_reload;
    std::uint64_t reloads = 0;
    std::uint64_t failed_reloads = 0;
  };

  snapshot get() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }

  template <class Change>
  void change(Change by) {
    const std::lock_guard lock(mutex_);
    by(now_);
  }

 private:
  mutable std::mutex mutex_;
  snapshot now_;
};

}  // namespace atls
