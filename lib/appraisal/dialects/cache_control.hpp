// For how long what a Verifier says of itself may be believed.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace atls {

/// A Cache-Control header's max-age (RFC 9111 section 5.2.2.1); nullopt if it has none.
std::optional<std::chrono::seconds> max_age(std::string_view cache_control);

}  // namespace atls
