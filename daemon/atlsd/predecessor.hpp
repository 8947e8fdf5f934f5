// The atlsd whose addresses a new one takes over (--takeover).
#pragma once

#include "core/descriptors.hpp"
#include "core/error.hpp"

#include <filesystem>
#include <sys/types.h>

namespace atls {

/// A process that is surely meant; its number cannot come to mean another (pidfd_open(2)).
class predecessor {
 public:
  /// takeover_refused unless it runs this program, by name or as the same file, with a
  /// configuration from the same directory, and may be sent signals.
  static result<predecessor> find(pid_t process, const std::filesystem::path& config_file);

  /// Tells it to accept no more, and to end with its connections. takeover_refused.
  result<void> drain() const;

 private:
  explicit predecessor(descriptor process) : process_(std::move(process)) {}

  descriptor process_;
};

}  // namespace atls
