#include "atlsd/notify.hpp"

#include "core/descriptors.hpp"
#include "core/text.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace atls::notify {

void send(std::string_view state) {
  const char* const name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::string_view path(name != nullptr ? name : "");
  if (path.empty() || path.size() >= sizeof to.sun_path) {
    return;
  }
  std::memcpy(to.sun_path, path.data(), path.size());
  if (to.sun_path[0] == '@') {
    to.sun_path[0] = '\0';
  }
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  // Kept open: a process without a free descriptor still feeds its watchdog.
  static const descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to), size);
}

std::optional<std::chrono::milliseconds> watchdog_interval() {
  const char* const microseconds = std::getenv("WATCHDOG_USEC");
  const char* const pid = std::getenv("WATCHDOG_PID");
  constexpr std::uint64_t limit = 3600ull * 1000 * 1000;
  const auto value = microseconds != nullptr ? parse_number(microseconds, limit) : std::nullopt;
  if (!value || *value < 2000 || (pid != nullptr && pid != std::to_string(::getpid()))) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(*value / 2000);
}

}  // namespace atls::notify
