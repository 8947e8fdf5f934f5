// What a fuzz target is: it may return, and nothing else.
#pragma once

#include "core/bytes.hpp"

#include <cstdlib>

/// A property that no input may break.
inline void must(bool holds) {
  if (!holds) {
    std::abort();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
