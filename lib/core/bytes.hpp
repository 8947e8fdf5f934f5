// Byte strings, bounded reading and writing of big-endian wire formats, and text encodings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atls {

using bytes = std::vector<std::uint8_t>;
using bytes_view = std::span<const std::uint8_t>;

bytes to_bytes(bytes_view view);
bytes_view as_bytes(std::string_view text) noexcept;
std::string_view as_text(bytes_view view) noexcept;
bool equal(bytes_view a, bytes_view b) noexcept;
void append(bytes& to, bytes_view tail);

/// Reads big-endian fields front to back; every read fails cleanly past the end.
class byte_reader {
 public:
  explicit byte_reader(bytes_view data) noexcept : rest_(data) {}

  std::optional<std::uint8_t> u8() noexcept;
  std::optional<std::uint16_t> u16() noexcept;
  std::optional<std::uint32_t> u24() noexcept;
  /// Exactly `count` bytes.
  std::optional<bytes_view> take(std::size_t count) noexcept;
  /// A vector with a length prefix of 1, 2 or 3 bytes (RFC 8446 section 3.4).
  std::optional<bytes_view> prefixed(std::size_t prefix_size) noexcept;

  bool empty() const noexcept { return rest_.empty(); }
  bytes_view rest() const noexcept { return rest_; }

 private:
  std::optional<std::uint32_t> number(std::size_t size) noexcept;

  bytes_view rest_;
};

/// Big-endian number of `size` bytes (1 to 8) at the end of `to`.
void append_number(bytes& to, std::uint64_t value, std::size_t size);

std::string to_hex(bytes_view data);
/// Lower or upper case, even length; nothing else.
std::optional<bytes> from_hex(std::string_view text);

/// RFC 4648 section 4 (std, padded) and section 5 (url).
std::string to_base64(bytes_view data);
std::string to_base64url(bytes_view data);
std::string to_base64url_padded(bytes_view data);

/// Strict section 5 without padding, no white space, no stray bits.
std::optional<bytes> from_base64url(std::string_view text);
/// Either alphabet, padded or not, as Verifiers write nonces (formats: Veraison API 1.2).
std::optional<bytes> from_any_base64(std::string_view text);

}  // namespace atls
