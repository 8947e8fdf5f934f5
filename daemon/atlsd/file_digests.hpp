// What files held when they were read, to see later whether they hold something else.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace atls {

/// SHA-256 by file: of its content, or of the names in a directory; empty if it cannot be read.
using file_digests = std::map<std::filesystem::path, std::string>;

std::string digest_of(std::string_view content);
/// Of what is in it now.
std::string digest_of_file(const std::filesystem::path& file);

}  // namespace atls
