#include "support/vectors.hpp"

namespace atls::test {

std::filesystem::path vectors_directory() {
  return ATLS_VECTORS;
}

}  // namespace atls::test
