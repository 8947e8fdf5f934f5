// Whole files in and out.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <filesystem>
#include <string>

namespace atls {

/// At most `limit_bytes`; `why` is the code of the failure, whose detail names the file and cause.
result<std::string> read_file(const std::filesystem::path& path, errc why,
                              std::size_t limit_bytes = 1u << 20);

/// Writes beside the file and renames, so that no reader ever sees half of it. `mode` as chmod(2).
result<void> write_file(const std::filesystem::path& path, std::string_view content, unsigned mode);

}  // namespace atls
