// The test data of tests/vectors, read in place.
#pragma once

#include "core/files.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

namespace atls::test {

std::filesystem::path vectors_directory();
/// The project's own folder.
std::filesystem::path source_directory();

/// Throws where the file is absent, so that its test fails.
inline std::string read_vector(const std::string& name) {
  return read_file(vectors_directory() / name, errc::internal).value();
}

inline bytes read_binary_vector(const std::string& name) {
  const auto text = read_vector(name);
  return to_bytes(as_bytes(text));
}

}  // namespace atls::test
