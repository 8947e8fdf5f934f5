#include "support/vectors.hpp"

namespace atls::test {

std::filesystem::path vectors_directory() {
  return source_directory() / "tests/vectors";
}

std::filesystem::path source_directory() {
  return ATLS_SOURCE;
}

}  // namespace atls::test
