// What a configuration listens on, looked at as a whole.
#pragma once

#include "atlsd/config.hpp"

namespace atls {

/// Addresses of which a client of one could reach the other, as far as their texts tell: a line
/// each, with its place.
std::vector<std::string> shared_addresses(const config& from);

/// The same for what names, paths and sockets of the service manager turn out to be now, and that
/// those that must not be reached from other hosts are not. listen_failed, config_invalid.
result<void> check_addresses(const config& from);

}  // namespace atls
