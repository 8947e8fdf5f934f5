#include "formats/json.hpp"

#include <cmath>
#include <set>

namespace atls {

result<json> parse_json(std::string_view text, errc error, bool allow_comments) {
  constexpr int max_depth = 32;
  std::vector<std::set<std::string>> names;
  std::string problem;
  const auto inspect = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > max_depth) {
      problem = "nested deeper than 32";
    }
    if (event == json::parse_event_t::object_start) {
      names.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      names.pop_back();
    } else if (event == json::parse_event_t::key &&
               !names.back().insert(parsed.get_ref<const std::string&>()).second) {
      problem = "member \"" + parsed.get<std::string>() + "\" appears twice";
    }
    return true;
  };
  try {
    auto value = json::parse(text, inspect, true, allow_comments);
    if (!problem.empty()) {
      return failure(error, "JSON: " + problem);
    }
    return {boost::system::in_place_value, std::move(value)};
  } catch (const json::exception& e) {
    return failure(error, e.what());
  }
}

std::optional<std::int64_t> integral(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return number <= INT64_MAX ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  }
  if (value.is_number_float()) {
    const double number = value.get<double>();
    constexpr double exact = 9007199254740992.0;  // 2^53
    if (std::trunc(number) == number && std::abs(number) <= exact) {
      return static_cast<std::int64_t>(number);
    }
  }
  return std::nullopt;
}

std::optional<std::string> string_member(const json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_string()) {
    return std::nullopt;
  }
  return member->get<std::string>();
}

}  // namespace atls
