#include "dialects/cache_control.hpp"

#include <charconv>

namespace atls {

std::optional<std::chrono::seconds> max_age(std::string_view cache_control) {
  constexpr std::string_view name = "max-age=";
  const auto at = cache_control.find(name);
  unsigned seconds = 0;
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const auto digits = cache_control.substr(at + name.size());
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  return read.ec == std::errc() ? std::optional(std::chrono::seconds(seconds)) : std::nullopt;
}

}  // namespace atls
