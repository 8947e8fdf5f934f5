#include "atlsd/object_reader.hpp"

#include "core/text.hpp"

#include <algorithm>

namespace atls {
namespace {

// "tunnels[3].peer" and "tunnels[].peer" alike.
std::string without_indices(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (out.empty() || out.back() != '[' || c == ']') {
      out += c;
    }
  }
  return out;
}

using words = std::initializer_list<const char*>;

std::optional<std::size_t> index_in(words among, const json& value) {
  const auto* const found =
      std::ranges::find_if(among, [&](const char* word) { return value == word; });
  if (found == among.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - among.begin());
}

// For people: "a", "b".
std::string quoted(words of) {
  std::string out;
  for (const auto* word : of) {
    out.append(out.empty() ? "\"" : ", \"").append(word).append("\"");
  }
  return out;
}

// What stands alone is an array of one.
json as_array(const json& value) {
  return value.is_array() ? value : json::array({value});
}

}  // namespace

object_reader::object_reader(const json& value, std::string path, reading& into)
    : value_(value), path_(std::move(path)), into_(into) {
  if (!value.is_object()) {
    problem("", "found " + std::string(value.type_name()) + ", expected an object");
  }
}

bool object_reader::has(const char* name) {
  known_.insert(name);
  into_.keys.insert(without_indices(path_of(name)));
  return value_.is_object() && value_.contains(name);
}

std::string object_reader::path_of(const std::string& name) const {
  return path_ + (name.empty() || path_.empty() ? "" : ".") + name;
}

void object_reader::problem(const std::string& name, const std::string& what) {
  into_.problems.push_back(path_of(name) + ": " + what);
}

void object_reader::required(const char* name) {
  if (!has(name)) {
    problem(name, "is missing");
  }
}

object_reader object_reader::object(const char* name) {
  static const json empty = json::object();
  return {has(name) ? value_[name] : empty, path_of(name), into_};
}

void object_reader::boolean(const char* name, bool& to) {
  if (has(name)) {
    if (value_[name].is_boolean()) {
      to = value_[name].get<bool>();
    } else {
      problem(name, "found " + value_[name].dump() + ", expected true or false");
    }
  }
}

void object_reader::text(const char* name, std::string& to) {
  if (has(name)) {
    if (value_[name].is_string()) {
      to = value_[name].get<std::string>();
    } else {
      problem(name, "found " + value_[name].dump() + ", expected text");
    }
  }
}

void object_reader::path(const char* name, const std::filesystem::path& directory,
                         std::filesystem::path& to) {
  std::string given;
  text(name, given);
  if (!given.empty()) {
    to = directory / given;
  }
}

void object_reader::paths(const char* name, const std::filesystem::path& directory,
                          std::vector<std::filesystem::path>& to) {
  std::vector<std::string> given;
  texts(name, given);
  for (const auto& one : given) {
    to.push_back(directory / one);
  }
  const bool is_empty = has(name) && value_[name] == json::array();
  if (is_empty || std::ranges::find(given, "") != given.end()) {
    problem(name, "found " + value_[name].dump() + ", expected a file or an array of files");
  }
}

void object_reader::texts(const char* name, std::vector<std::string>& to) {
  if (!has(name)) {
    return;
  }
  for (const auto& one : as_array(value_[name])) {
    if (one.is_string()) {
      to.push_back(one.get<std::string>());
    } else {
      problem(name, "found " + one.dump() + ", expected text");
    }
  }
}

void object_reader::number(const char* name, unsigned min, unsigned max, unsigned& to) {
  if (has(name)) {
    const auto value = integral(value_[name]);
    if (value && *value >= min && *value <= max) {
      to = static_cast<unsigned>(*value);
    } else {
      problem(name, "found " + value_[name].dump() + ", expected " + std::to_string(min) + " to " +
                        std::to_string(max));
    }
  }
}

void object_reader::duration(const char* name, std::chrono::milliseconds& to) {
  duration(name, to, "");
}

void object_reader::duration_or_never(const char* name, std::chrono::milliseconds& to) {
  if (has(name) && string_member(value_, name) == "never") {
    to = std::chrono::milliseconds(0);
    return;
  }
  duration(name, to, ", or \"never\"");
}

void object_reader::duration(const char* name, std::chrono::milliseconds& to, const char* or_what) {
  if (has(name)) {
    const auto text = string_member(value_, name);
    const auto value = text ? parse_duration(*text) : std::nullopt;
    if (value && value->count() > 0) {
      to = *value;
    } else {
      problem(name, "found " + value_[name].dump() +
                        ", expected a duration such as \"500ms\", \"5s\", \"2m\" or \"1h\"" +
                        or_what);
    }
  }
}

void object_reader::choice(const char* name, words among, std::size_t& to) {
  if (!has(name)) {
    return;
  }
  if (const auto found = index_in(among, value_[name])) {
    to = *found;
  } else {
    problem(name, "found " + value_[name].dump() + ", expected one of " + quoted(among));
  }
}

void object_reader::choice_or_none(const char* name, words among, std::optional<std::size_t>& to) {
  if (!has(name)) {
    return;
  }
  const json& member = value_[name];
  const auto found = index_in(among, member);
  if (!found && !member.is_boolean()) {
    problem(name, "found " + member.dump() + ", expected one of false, true, " + quoted(among));
  } else if (found) {
    to = found;
  } else {
    to = member.get<bool>() ? std::optional<std::size_t>(0) : std::nullopt;
  }
}

void object_reader::choices(const char* name, words among, std::vector<std::size_t>& to) {
  if (!has(name)) {
    return;
  }
  std::vector<std::size_t> given;
  for (const auto& one : as_array(value_[name])) {
    const auto found = index_in(among, one);
    if (!found) {
      problem(name, "found " + one.dump() + ", expected one of " + quoted(among));
    } else if (std::ranges::find(given, *found) != given.end()) {
      problem(name, one.dump() + " appears twice");
    } else {
      given.push_back(*found);
    }
  }
  if (value_[name] == json::array()) {
    problem(name, "found [], expected at least one of " + quoted(among));
  }
  if (!given.empty()) {
    to = std::move(given);
  }
}

void object_reader::rules(const char* name, const condition_scope& scope,
                          std::vector<policy_rule>& to) {
  if (has(name)) {
    auto more = read_rules(value_[name], scope, path_of(name), into_.problems);
    std::ranges::move(more, std::back_inserter(to));
  }
}

void object_reader::refuse_unknown() {
  if (!value_.is_object()) {
    return;
  }
  for (const auto& [name, ignored] : value_.items()) {
    if (!known_.contains(name)) {
      problem(name, "is not a known key; did you mean \"" +
                        nearest(name, {known_.begin(), known_.end()}) + "\"?");
    }
  }
}

}  // namespace atls
