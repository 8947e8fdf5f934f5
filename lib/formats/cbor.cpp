#include "formats/cbor.hpp"

#include <limits>

#include <cbor.h>
#include <nlohmann/json.hpp>

namespace atls::cbor {
namespace {

constexpr std::uint64_t undefined = 23;
constexpr std::uint8_t first_short_tag = 0xc0;
constexpr std::uint8_t last_short_tag = 0xd7;

// An item whose end has not been seen. `expected` counts what it still lacks; indefinite items end
// at a break.
struct open_item {
  item value;
  bool indefinite = false;
  std::uint64_t expected = 0;
};

// Builds the tree from libcbor's callbacks. The first problem is kept and ends the decoding.
class builder {
 public:
  explicit builder(const limits& bounds) : bounds_(bounds) {}

  bool done() const noexcept { return finished_; }
  const std::string& problem() const noexcept { return problem_; }
  bool failed() const noexcept { return !problem_.empty(); }
  item take() { return std::move(root_); }

  void scalar(kind type, std::uint64_t number) {
    item value;
    value.type = type;
    value.number = number;
    add(std::move(value));
  }

  void string(kind type, const unsigned char* data, std::size_t size) {
    if (!stack_.empty() && stack_.back().indefinite && stack_.back().value.is(type)) {
      append(stack_.back().value.content, {data, size});
      return;
    }
    item value;
    value.type = type;
    value.content.assign(data, data + size);
    add(std::move(value));
  }

  // `size` counts items, so twice the pairs of a map.
  void open(kind type, bool indefinite, std::uint64_t size, std::uint64_t number = 0) {
    if (stack_.size() >= bounds_.depth) {
      fail("nested deeper than " + std::to_string(bounds_.depth));
      return;
    }
    if (inside_indefinite_string()) {
      fail("a chunk of an indefinite string is not a string");
      return;
    }
    open_item opened;
    opened.value.type = type;
    opened.value.number = number;
    opened.indefinite = indefinite;
    opened.expected = size;
    stack_.push_back(std::move(opened));
    if (!indefinite && size == 0) {
      close();
    }
  }

  void end() {
    if (stack_.empty() || !stack_.back().indefinite) {
      fail("a break outside an indefinite item");
      return;
    }
    if (stack_.back().value.is(kind::map) && stack_.back().value.items.size() % 2 != 0) {
      fail("a map key without a value");
      return;
    }
    close();
  }

 private:
  bool inside_indefinite_string() const noexcept {
    return !stack_.empty() &&
           (stack_.back().value.is(kind::byte_string) || stack_.back().value.is(kind::text_string));
  }

  void add(item value) {
    if (++count_ > bounds_.items) {
      fail("more than " + std::to_string(bounds_.items) + " items");
      return;
    }
    if (inside_indefinite_string()) {
      fail("a chunk of an indefinite string is of another type");
      return;
    }
    if (value.is(kind::text_string) && !valid_utf8(value.text())) {
      fail("text is not UTF-8");
      return;
    }
    if (stack_.empty()) {
      root_ = std::move(value);
      finished_ = true;
      return;
    }
    open_item& parent = stack_.back();
    const auto at = parent.value.items.size();
    if (parent.value.is(kind::map) && at % 2 == 0 && has_key(parent.value, value)) {
      fail("a map key appears twice");
      return;
    }
    parent.value.items.push_back(std::move(value));
    if (!parent.indefinite && --parent.expected == 0) {
      close();
    }
  }

  void close() {
    item value = std::move(stack_.back().value);
    stack_.pop_back();
    add(std::move(value));
  }

  static bool has_key(const item& map, const item& key) {
    for (std::size_t i = 0; i < map.items.size(); i += 2) {
      const item& other = map.items[i];
      if (other.type == key.type && other.number == key.number && other.content == key.content &&
          other.items.empty() && key.items.empty()) {
        return true;
      }
    }
    return false;
  }

  static bool valid_utf8(std::string_view text) {
    try {
      // nlohmann's serializer is the UTF-8 validator we already depend on.
      (void)nlohmann::json(text).dump();
      return true;
    } catch (const nlohmann::json::exception&) {
      return false;
    }
  }

  void fail(std::string why) {
    if (problem_.empty()) {
      problem_ = std::move(why);
    }
  }

  const limits& bounds_;
  std::vector<open_item> stack_;
  std::size_t count_ = 0;
  item root_;
  bool finished_ = false;
  std::string problem_;
};

builder& self(void* context) {
  return *static_cast<builder*>(context);
}

cbor_callbacks make_callbacks() {
  cbor_callbacks c = cbor_empty_callbacks;
  c.uint8 = [](void* b, std::uint8_t v) { self(b).scalar(kind::unsigned_integer, v); };
  c.uint16 = [](void* b, std::uint16_t v) { self(b).scalar(kind::unsigned_integer, v); };
  c.uint32 = [](void* b, std::uint32_t v) { self(b).scalar(kind::unsigned_integer, v); };
  c.uint64 = [](void* b, std::uint64_t v) { self(b).scalar(kind::unsigned_integer, v); };
  c.negint8 = [](void* b, std::uint8_t v) { self(b).scalar(kind::negative_integer, v); };
  c.negint16 = [](void* b, std::uint16_t v) { self(b).scalar(kind::negative_integer, v); };
  c.negint32 = [](void* b, std::uint32_t v) { self(b).scalar(kind::negative_integer, v); };
  c.negint64 = [](void* b, std::uint64_t v) { self(b).scalar(kind::negative_integer, v); };
  c.byte_string = [](void* b, cbor_data data, std::size_t size) {
    self(b).string(kind::byte_string, data, size);
  };
  c.string = [](void* b, cbor_data data, std::size_t size) {
    self(b).string(kind::text_string, data, size);
  };
  c.byte_string_start = [](void* b) { self(b).open(kind::byte_string, true, 0); };
  c.string_start = [](void* b) { self(b).open(kind::text_string, true, 0); };
  c.array_start = [](void* b, std::size_t n) { self(b).open(kind::array, false, n); };
  c.indef_array_start = [](void* b) { self(b).open(kind::array, true, 0); };
  c.map_start = [](void* b, std::size_t n) {
    // A claim beyond the address space cannot be met by the input; any huge count fails the same.
    self(b).open(kind::map, false, n > std::numeric_limits<std::size_t>::max() / 2 ? n : 2 * n);
  };
  c.indef_map_start = [](void* b) { self(b).open(kind::map, true, 0); };
  c.tag = [](void* b, std::uint64_t tag) { self(b).open(kind::tag, false, 1, tag); };
  c.boolean = [](void* b, bool v) { self(b).scalar(kind::simple, v ? 21 : 20); };
  c.null = [](void* b) { self(b).scalar(kind::simple, 22); };
  c.undefined = [](void* b) { self(b).scalar(kind::simple, undefined); };
  c.float2 = [](void* b, float) { self(b).scalar(kind::simple, undefined); };
  c.float4 = [](void* b, float) { self(b).scalar(kind::simple, undefined); };
  c.float8 = [](void* b, double) { self(b).scalar(kind::simple, undefined); };
  c.indef_break = [](void* b) { self(b).end(); };
  return c;
}

const item* find_if(const item& map, auto&& is_key) noexcept {
  if (!map.is(kind::map)) {
    return nullptr;
  }
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (is_key(map.items[i])) {
      return &map.items[i + 1];
    }
  }
  return nullptr;
}

}  // namespace

std::optional<std::int64_t> item::integer() const noexcept {
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  const auto value = static_cast<std::int64_t>(number);
  if (is(kind::unsigned_integer)) {
    return value;
  }
  return is(kind::negative_integer) ? std::optional(-1 - value) : std::nullopt;
}

const item* item::find(std::string_view key) const noexcept {
  return find_if(*this, [&](const item& k) { return k.is(kind::text_string) && k.text() == key; });
}

const item* item::find(std::int64_t key) const noexcept {
  return find_if(*this, [&](const item& k) { return k.integer() == key; });
}

const item* item::tagged(std::uint64_t tag) const noexcept {
  return is(kind::tag) && number == tag ? &items.front() : nullptr;
}

result<item> decode(bytes_view input, errc error, const limits& bounds) {
  static const cbor_callbacks callbacks = make_callbacks();
  if (input.size() > bounds.size_bytes) {
    return failure(error, "CBOR of " + std::to_string(input.size()) + " bytes, at most " +
                              std::to_string(bounds.size_bytes) + " are read");
  }
  builder tree(bounds);
  bytes_view rest = input;
  while (!tree.done()) {
    // libcbor 0.8 does not know one-byte tags without a meaning of its own, such as COSE_Sign1's.
    if (!rest.empty() && rest[0] >= first_short_tag && rest[0] <= last_short_tag) {
      tree.open(kind::tag, false, 1, rest[0] - first_short_tag);
      if (tree.failed()) {
        return failure(error, "CBOR: " + tree.problem());
      }
      rest = rest.subspan(1);
      continue;
    }
    const auto step = cbor_stream_decode(rest.data(), rest.size(), &callbacks, &tree);
    if (step.status != CBOR_DECODER_FINISHED) {
      return failure(error, step.status == CBOR_DECODER_NEDATA ? "CBOR ends early" : "not CBOR");
    }
    if (tree.failed()) {
      return failure(error, "CBOR: " + tree.problem());
    }
    rest = rest.subspan(step.read);
  }
  if (!rest.empty()) {
    return failure(error, std::to_string(rest.size()) + " bytes after the CBOR item");
  }
  return tree.take();
}

writer& writer::head(encoder encode, std::uint64_t value) {
  unsigned char buffer[9];
  append(out_, {buffer, encode(value, buffer, sizeof buffer)});
  return *this;
}

writer& writer::unsigned_integer(std::uint64_t value) {
  return head(cbor_encode_uint, value);
}

writer& writer::integer(std::int64_t value) {
  return value >= 0 ? unsigned_integer(static_cast<std::uint64_t>(value))
                    : head(cbor_encode_negint, static_cast<std::uint64_t>(-1 - value));
}

writer& writer::byte_string(bytes_view value) {
  head(cbor_encode_bytestring_start, value.size());
  append(out_, value);
  return *this;
}

writer& writer::text(std::string_view value) {
  head(cbor_encode_string_start, value.size());
  append(out_, as_bytes(value));
  return *this;
}

writer& writer::array(std::size_t size) {
  return head(cbor_encode_array_start, size);
}

writer& writer::map(std::size_t size) {
  return head(cbor_encode_map_start, size);
}

writer& writer::tag(std::uint64_t value) {
  return head(cbor_encode_tag, value);
}

}  // namespace atls::cbor
