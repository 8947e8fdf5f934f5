// What the service manager is told (sd_notify(3)). The protocol is one datagram; libsystemd would
// bring four more libraries into memory for it.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace atls::notify {

/// "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...", lines separated by "\n". Nothing happens
/// where nobody listens.
void send(std::string_view state);

/// How often WATCHDOG=1 is due: half of what the service manager waits. nullopt if it does not.
std::optional<std::chrono::milliseconds> watchdog_interval();

}  // namespace atls::notify
