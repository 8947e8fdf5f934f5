// The files that a configuration is written in.
#pragma once

#include "atlsd/file_digests.hpp"
#include "formats/json.hpp"

#include <vector>

namespace atls {

/// JSON (comments allowed) with "${NAME}" and "${NAME:-otherwise}" in its texts replaced by the
/// environment's; "$$" is a dollar sign.
struct document {
  std::filesystem::path file;
  json value;

  /// config_invalid, saying where. What was read is noted in `seen`.
  static result<document> load(const std::filesystem::path& file, file_digests& seen);
  static result<document> parse(std::string_view text, const std::filesystem::path& file);
};

/// The files of a directory that end in ".json", in the order of their names.
result<std::vector<std::filesystem::path>> files_in(const std::filesystem::path& directory);

}  // namespace atls
