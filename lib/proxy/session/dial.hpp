// Connecting to a target.
#pragma once

#include "proxy/address.hpp"

namespace atls::proxy {

/// Resolves a name anew, tries all its addresses, the next one before the last has failed (RFC
/// 8305), and all again until the deadline, so that it does not matter what is started first.
/// target_unreachable with the last cause.
awaitable<result<stream_socket>> dial(executor where, const address& target, steady_time deadline);

}  // namespace atls::proxy
