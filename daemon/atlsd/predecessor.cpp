#include "atlsd/predecessor.hpp"

#include "core/files.hpp"
#include "core/text.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <sys/syscall.h>
#include <unistd.h>

namespace atls {
namespace {

using path = std::filesystem::path;

long send_signal(int process, int signal) {
  return ::syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0);
}

std::string last_error() {
  return std::strerror(errno);
}

// Of a program that was replaced while it ran the link says so.
std::string name_of(const path& executable) {
  constexpr std::string_view replaced = " (deleted)";
  auto name = executable.filename().string();
  if (name.ends_with(replaced)) {
    name.resize(name.size() - replaced.size());
  }
  return name;
}

// Its link can be read by root and, unless the program forbids it as atlsd does, by its user; the
// name that the kernel keeps can be read by everybody.
bool runs_this_program(const path& process) {
  std::error_code ec;
  if (std::filesystem::equivalent(process / "exe", "/proc/self/exe", ec)) {
    return true;
  }
  const auto ours = std::filesystem::read_symlink("/proc/self/exe", ec);
  const auto theirs = std::filesystem::read_symlink(process / "exe", ec);
  if (!ec) {
    return name_of(theirs) == name_of(ours);
  }
  const auto comm = read_file(process / "comm", errc::takeover_refused);
  return comm && *comm == name_of(ours) + "\n";
}

// As it was given on the command line.
std::optional<path> config_file_of(const path& process) {
  const auto all = read_file(process / "cmdline", errc::takeover_refused);
  if (!all) {
    return std::nullopt;
  }
  constexpr std::string_view option = "--config";
  const auto arguments = split(*all, '\0');
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i] == option && i + 1 < arguments.size()) {
      return arguments[i + 1];
    }
    if (arguments[i].starts_with(std::string(option) + "=")) {
      return arguments[i].substr(option.size() + 1);
    }
  }
  return std::nullopt;
}

path directory_of(const path& file) {
  return file.has_parent_path() ? file.parent_path() : path(".");
}

}  // namespace

result<predecessor> predecessor::find(pid_t number, const path& config_file) {
  const auto refused = [number](const std::string& why) {
    return failure(errc::takeover_refused, "process " + std::to_string(number) + " " + why);
  };
  predecessor found{descriptor(static_cast<int>(::syscall(SYS_pidfd_open, number, 0)))};
  if (!found.process_) {
    return refused("is not there: " + last_error());
  }
  const auto process = path("/proc") / std::to_string(number);
  if (number == ::getpid() || !runs_this_program(process)) {
    return refused("is no other atlsd");
  }
  const auto theirs = config_file_of(process);
  if (!theirs) {
    return refused("has no --config");
  }
  std::error_code ec;
  // An absolute path stays as it is.
  const auto their_directory =
      std::filesystem::canonical(process / "cwd" / directory_of(*theirs), ec);
  const auto our_directory =
      ec ? path() : std::filesystem::canonical(directory_of(config_file), ec);
  if (ec) {
    return refused("has the configuration " + theirs->string() +
                   ", whose directory is out of sight: " + ec.message());
  }
  if (their_directory != our_directory) {
    return refused("has a configuration of " + their_directory.string() + ", expected one of " +
                   our_directory.string());
  }
  // Everything above was read of the process that the descriptor means, if that still runs.
  if (send_signal(found.process_.get(), 0) != 0) {
    return refused("cannot be sent a signal: " + last_error());
  }
  return found;
}

result<void> predecessor::drain() const {
  if (send_signal(process_.get(), SIGTERM) != 0) {
    return failure(errc::takeover_refused, "SIGTERM: " + last_error());
  }
  return {};
}

}  // namespace atls
