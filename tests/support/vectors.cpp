#include "support/vectors.hpp"

namespace atls::test {

std::filesystem::path vectors_directory() {
  return ATLS_VECTORS;
}

std::filesystem::path source_directory() {
  return ATLS_SOURCE;
}

}  // namespace atls::test
