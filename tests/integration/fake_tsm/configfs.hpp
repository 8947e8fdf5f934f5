// The directory "report" of the kernel's configfs-tsm
// (Documentation/ABI/testing/configfs-tsm-report), by FUSE.
#pragma once

#include "support/cvm_firmware.hpp"

#include <chrono>

namespace atls::test {

struct fake_kernel {
  std::string provider;
  std::unique_ptr<firmware> behind;
  /// The host's part of each report.
  bytes auxblob;
  /// SNP under an SVSM.
  unsigned privlevel_floor = 0;
  /// Of each report.
  std::chrono::milliseconds takes{0};
  /// What making a report fails with, so many times; errno 0: an empty report.
  int fails_with = 0;
  int failures_left = 0;
};

/// Serves until the mount ends or SIGTERM comes; FUSE's exit status.
int serve(fake_kernel& kernel, const std::string& mountpoint);

}  // namespace atls::test
