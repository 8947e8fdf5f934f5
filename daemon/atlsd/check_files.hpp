// What a configuration names, looked at without running it.
#pragma once

#include "atlsd/config.hpp"

namespace atls {

/// That every file is there, holds what it is for, and fits those that belong to it.
/// config_invalid: a line for each that does not, with its place in the configuration.
result<void> check_files(const config& from);

}  // namespace atls
