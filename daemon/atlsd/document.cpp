#include "atlsd/document.hpp"

#include "core/files.hpp"

#include <algorithm>
#include <cstdlib>

namespace atls {
namespace {

result<std::string> with_environment(std::string_view text) {
  std::string out;
  for (auto dollar = text.find('$'); dollar != std::string_view::npos; dollar = text.find('$')) {
    out.append(text.substr(0, dollar));
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      out += '$';
      text.remove_prefix(1);
      continue;
    }
    const auto end = text.find('}');
    if (!text.starts_with('{') || end == std::string_view::npos) {
      return failure(
          errc::config_invalid,
          "a \"$\" stands alone, expected \"${NAME}\", \"${NAME:-otherwise}\" or \"$$\"");
    }
    const auto inside = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    const auto dash = inside.find(":-");
    const std::string name(inside.substr(0, dash));
    const char* const value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') {
      out += value;
    } else if (dash != std::string_view::npos) {
      out += inside.substr(dash + 2);
    } else {
      return failure(errc::config_invalid, "the environment has no " + name);
    }
  }
  return out.append(text);
}

result<void> substitute(json& in, const std::string& path) {
  if (in.is_string()) {
    const auto value = with_environment(in.get_ref<const std::string&>());
    if (!value) {
      return failure(errc::config_invalid, path + ": " + value.error().detail);
    }
    in = *value;
  } else if (in.is_array()) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      ATLS_CHECK(substitute(in[i], path + "[" + std::to_string(i) + "]"));
    }
  } else if (in.is_object()) {
    for (auto& [name, value] : in.items()) {
      ATLS_CHECK(substitute(value, path + (path.empty() ? "" : ".") + name));
    }
  }
  return {};
}

}  // namespace

result<document> document::load(const std::filesystem::path& file, file_digests& seen) {
  const auto text = read_file(file, errc::config_invalid);
  seen[file] = text ? digest_of(*text) : "";
  return text ? parse(*text, file) : text.error();
}

result<document> document::parse(std::string_view text, const std::filesystem::path& file) {
  constexpr bool comments = true;
  auto value = parse_json(text, errc::config_invalid, comments);
  const auto substituted = value ? substitute(*value, "") : result<void>(value.error());
  if (!substituted) {
    // The JSON library puts the name of its exception first.
    const auto& why = substituted.error().detail;
    const auto begin = why.starts_with('[') ? why.find("] ") + 2 : 0;
    return failure(errc::config_invalid, file.string() + ": " + why.substr(begin));
  }
  return document{file, std::move(*value)};
}

result<std::vector<std::filesystem::path>> files_in(const std::filesystem::path& directory) {
  std::error_code ec;
  std::filesystem::directory_iterator entries(directory, ec);
  if (ec) {
    return failure(errc::config_invalid,
                   "cannot read the directory " + directory.string() + ": " + ec.message());
  }
  std::vector<std::filesystem::path> out;
  for (const auto& entry : entries) {
    if (entry.path().extension() == ".json") {
      out.push_back(entry.path());
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace atls
