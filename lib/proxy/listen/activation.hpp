// Sockets that the service manager opened and passed (sd_listen_fds(3)).
#pragma once

#include "core/error.hpp"

#include <string>
#include <vector>

namespace atls::proxy {

/// Those whose FileDescriptorName= is `name`: they stay open and are not ours to close.
/// listen_failed if there is none.
result<std::vector<int>> activated_sockets(const std::string& name);

}  // namespace atls::proxy
