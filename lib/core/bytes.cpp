#include "core/bytes.hpp"

#include <algorithm>
#include <cstring>

namespace atls {
namespace {

constexpr std::string_view std_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(bytes_view data, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const auto left = std::min<std::size_t>(3, data.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < left ? data[i + k] : 0u);
    }
    for (std::size_t k = 0; k <= left; ++k) {
      out += alphabet[group >> (18 - 6 * k) & 63];
    }
    if (pad) {
      out.append(3 - left, '=');
    }
  }
  return out;
}

std::optional<bytes> decode(std::string_view text, std::string_view alphabet) {
  bytes out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos) {
      return std::nullopt;
    }
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::uint8_t>(group >> bits));
      group &= (1u << bits) - 1;
    }
  }
  // A lone sixth of a byte, or bits that an encoder would have left zero.
  if (bits >= 6 || group != 0) {
    return std::nullopt;
  }
  return out;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

}  // namespace

bytes to_bytes(bytes_view view) {
  return {view.begin(), view.end()};
}

bytes_view as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(bytes_view view) noexcept {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

bool equal(bytes_view a, bytes_view b) noexcept {
  return std::ranges::equal(a, b);
}

void append(bytes& to, bytes_view tail) {
  to.insert(to.end(), tail.begin(), tail.end());
}

std::optional<std::uint32_t> byte_reader::number(std::size_t size) noexcept {
  const auto field = take(size);
  if (!field) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (const auto byte : *field) {
    value = value << 8 | byte;
  }
  return value;
}

std::optional<std::uint8_t> byte_reader::u8() noexcept {
  const auto value = number(1);
  return value ? std::optional(static_cast<std::uint8_t>(*value)) : std::nullopt;
}

std::optional<std::uint16_t> byte_reader::u16() noexcept {
  const auto value = number(2);
  return value ? std::optional(static_cast<std::uint16_t>(*value)) : std::nullopt;
}

std::optional<std::uint32_t> byte_reader::u24() noexcept {
  return number(3);
}

std::optional<bytes_view> byte_reader::take(std::size_t count) noexcept {
  if (count > rest_.size()) {
    return std::nullopt;
  }
  const auto head = rest_.first(count);
  rest_ = rest_.subspan(count);
  return head;
}

std::optional<bytes_view> byte_reader::prefixed(std::size_t prefix_size) noexcept {
  const auto size = number(prefix_size);
  return size ? take(*size) : std::nullopt;
}

void append_number(bytes& to, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) {
    to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

std::string to_hex(bytes_view data) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(data.size() * 2);
  for (const auto byte : data) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::optional<bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return std::nullopt;
  }
  bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

std::string to_base64(bytes_view data) {
  return encode(data, std_alphabet, true);
}

std::string to_base64url(bytes_view data) {
  return encode(data, url_alphabet, false);
}

std::string to_base64url_padded(bytes_view data) {
  return encode(data, url_alphabet, true);
}

std::optional<bytes> from_base64url(std::string_view text) {
  return decode(text, url_alphabet);
}

std::optional<bytes> from_any_base64(std::string_view text) {
  if (const auto padding = text.find('='); padding != std::string_view::npos) {
    if (text.size() % 4 != 0 || text.size() - padding > 2 ||
        text.find_first_not_of('=', padding) != std::string_view::npos) {
      return std::nullopt;
    }
    text = text.substr(0, padding);
  }
  const bool is_std = text.find_first_of("+/") != std::string_view::npos;
  return decode(text, is_std ? std_alphabet : url_alphabet);
}

}  // namespace atls
