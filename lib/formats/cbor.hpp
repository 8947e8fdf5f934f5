// CBOR (RFC 8949) over libcbor's streaming decoder and encoders: bounded, strict, no allocation by
// a length that the input merely claims.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace atls::cbor {

enum class kind {
  unsigned_integer,
  negative_integer,
  byte_string,
  text_string,
  array,
  map,
  tag,
  simple
};

/// One data item. Which members count depends on `type`.
struct item {
  kind type = kind::simple;
  /// unsigned_integer: the value; negative_integer: -1 - number; tag: the tag; simple: 20 false,
  /// 21 true, 22 null, anything else that the decoder delivers (floats too) as 23.
  std::uint64_t number = 0;
  /// byte_string and text_string (UTF-8, checked); chunks of indefinite strings are joined.
  bytes content;
  /// array: the elements; map: key, value, key, value, ...; tag: the one tagged item.
  std::vector<item> items;

  bool is(kind k) const noexcept { return type == k; }
  std::string_view text() const noexcept { return as_text(content); }
  std::optional<std::int64_t> integer() const noexcept;

  /// The value under a key of a map; nullptr if absent or not a map.
  const item* find(std::string_view key) const noexcept;
  const item* find(std::int64_t key) const noexcept;
  /// The item inside `tag`, nullptr if this is another item.
  const item* tagged(std::uint64_t tag) const noexcept;
};

struct limits {
  std::size_t size_bytes = 1u << 20;
  std::size_t depth = 16;
  std::size_t items = 4096;
};

/// Exactly one item; refuses trailing bytes, duplicate map keys, invalid UTF-8 and anything beyond
/// the limits. Definite and indefinite lengths are accepted.
/// `error` is the code of a failure; its detail says what was wrong.
result<item> decode(bytes_view input, errc error, const limits& bounds = {});

/// Appends well-formed items one after the other, definite lengths, shortest heads.
class writer {
 public:
  writer& unsigned_integer(std::uint64_t value);
  writer& integer(std::int64_t value);
  writer& byte_string(bytes_view value);
  writer& text(std::string_view value);
  writer& array(std::size_t size);
  /// `size` pairs follow.
  writer& map(std::size_t size);
  writer& tag(std::uint64_t value);

  const bytes& data() const& noexcept { return out_; }
  bytes data() && noexcept { return std::move(out_); }

 private:
  using encoder = std::size_t (*)(std::uint64_t, unsigned char*, std::size_t);
  writer& head(encoder encode, std::uint64_t value);

  bytes out_;
};

}  // namespace atls::cbor
