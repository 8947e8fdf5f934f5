// Fields at fixed places in a structure of little-endian numbers, as firmware writes them.
#pragma once

#include "core/bytes.hpp"

#include <algorithm>

namespace atls {

/// Whoever reads knows that what is read is within the structure.
class little_endian_fields {
 public:
  explicit little_endian_fields(bytes_view of) noexcept : of_(of) {}

  bytes take(std::size_t at, std::size_t count) const { return to_bytes(of_.subspan(at, count)); }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(number(at, 2)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::uint64_t u64(std::size_t at) const { return number(at, 8); }
  bool is_zero(std::size_t begin, std::size_t end) const {
    return std::ranges::all_of(of_.subspan(begin, end - begin),
                               [](auto byte) { return byte == 0; });
  }

 private:
  std::uint64_t number(std::size_t at, std::size_t size) const {
    std::uint64_t out = 0;
    for (std::size_t i = size; i-- > 0;) {
      out = out << 8 | of_[at + i];
    }
    return out;
  }

  bytes_view of_;
};

}  // namespace atls
