// The published test data, read in place.
#pragma once

#include "core/files.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

namespace atls::test {

/// The CMake path ATLS_VECTORS.
std::filesystem::path vectors_directory();
/// The project's own folder.
std::filesystem::path source_directory();

inline bool have_vectors() {
  return std::filesystem::exists(vectors_directory() / "README.md");
}

inline std::string read_vector(const std::string& name) {
  return read_file(vectors_directory() / name, errc::internal).value();
}

inline bytes read_binary_vector(const std::string& name) {
  const auto text = read_vector(name);
  return to_bytes(as_bytes(text));
}

}  // namespace atls::test

/// Ends a test case with a word where the data is absent.
#define ATLS_NEED_VECTORS()                                                         \
  if (!atls::test::have_vectors()) {                                                \
    WARN("skipped: no published test data at " << atls::test::vectors_directory()); \
    return;                                                                         \
  }
