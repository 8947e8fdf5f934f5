// The kernel's interface to what signs reports of a confidential VM: configfs-tsm
// (Documentation/ABI/testing/configfs-tsm-report). One directory below "report" is one requester.
#pragma once

#include "core/wait.hpp"
#include "formats/tsm_report.hpp"

#include <filesystem>

namespace atls::tsm {

inline constexpr const char* default_root = "/sys/kernel/config/tsm/report";

struct entry_options {
  std::filesystem::path root = default_root;
  /// A directory below `root` that root has prepared for this program; empty: it makes its own.
  std::string entry;
  /// What reports are asked for at; nullopt: the most privileged level that there is.
  std::optional<unsigned> privlevel;
};

/// One thread at a time: a report takes up to a minute, and its reader cannot be interrupted.
class report_entry {
 public:
  /// tsm_unavailable: no such interface, no provider, no right.
  static result<std::unique_ptr<report_entry>> open(const entry_options& options);
  /// Removes the directory if it was made here.
  ~report_entry();
  report_entry(const report_entry&) = delete;
  report_entry& operator=(const report_entry&) = delete;

  /// As the kernel names it, such as "sev_guest".
  const std::string& provider() const noexcept { return provider_; }

  /// A report over these 64 bytes, which nobody else's request took the place of: tsm_unavailable,
  /// tsm_failed, or tsm_timeout if it was busy until the deadline. What it says is not looked at.
  result<tsm_report> collect(bytes_view report_data, steady_time deadline) const;

  /// Whether it is still there: tsm_unavailable. From any thread.
  result<void> check() const;

 private:
  report_entry(std::filesystem::path directory, bool is_own);

  result<void> set_privlevel(const std::optional<unsigned>& wanted) const;

  const std::filesystem::path directory_;
  const bool is_own_;
  std::string provider_;
};

}  // namespace atls::tsm
