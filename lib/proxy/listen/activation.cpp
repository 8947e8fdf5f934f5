#include "proxy/listen/activation.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace atls::proxy {
namespace {

constexpr int first_activated = 3;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

result<std::vector<int>> activated_sockets(const std::string& name) {
  const auto is_for_us = environment("LISTEN_PID") == std::to_string(::getpid());
  const auto count = parse_number(environment("LISTEN_FDS"), 1024);
  if (!is_for_us || !count) {
    return failure(errc::listen_failed, "the service manager passed no sockets (sd_listen_fds(3))");
  }
  const std::string all = environment("LISTEN_FDNAMES");
  const auto names = split(all, ':');
  std::vector<int> out;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), *count); ++i) {
    if (names[i] == name) {
      const int fd = first_activated + static_cast<int>(i);
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
      out.push_back(fd);
    }
  }
  if (out.empty()) {
    return failure(errc::listen_failed,
                   "the service manager passed \"" + all + "\"; FileDescriptorName= names them");
  }
  return out;
}

}  // namespace atls::proxy
