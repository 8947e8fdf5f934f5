// Small readings and writings of text that more than one layer does.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atls {

std::vector<std::string_view> split(std::string_view text, char separator);

/// Decimal digits only, no sign, at most `limit`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t limit);

/// The candidate that `name` is most probably a slip of. At least one candidate.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

/// "250ms", "5s", "2m", "1h".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "2026-11-24T19:05:00Z"
std::string rfc3339(std::chrono::system_clock::time_point at);

}  // namespace atls
