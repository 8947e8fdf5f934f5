#include "formats/cmw.hpp"

#include "core/text.hpp"
#include "formats/cbor.hpp"
#include "formats/json.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::string_view collection_type_label = "__cmwc_t";
constexpr std::uint32_t known_indicators = 31;

// Tags for content-formats (RFC 9277 section 4.3): 255 formats to a block of 256 tags.
constexpr std::uint64_t first_tag = 1668546817;
constexpr std::uint64_t last_tag = 1668612095;

failure malformed(std::string why) {
  return {errc::cmw_malformed, std::move(why)};
}

result<std::uint32_t> check_indicator(std::uint64_t value) {
  if (value == 0 || value > known_indicators) {
    return malformed("the indicator is " + std::to_string(value) + ", expected 1 to 31");
  }
  return static_cast<std::uint32_t>(value);
}

result<std::string> check_media_type(std::string_view type) {
  if (type.empty() || type.find('/') == std::string_view::npos) {
    return malformed("the type is not a media type");
  }
  return std::string(type);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// At least two arcs, without leading zeros; the first 0 to 2, and the second below 40 unless the
// first is 2 (ITU-T X.660).
bool is_dotted_oid(std::string_view text) {
  const auto arcs = split(text, '.');
  const bool are_numbers = std::ranges::all_of(arcs, [](std::string_view arc) {
    return !arc.empty() && std::ranges::all_of(arc, is_digit) && (arc == "0" || arc[0] != '0');
  });
  if (arcs.size() < 2 || !are_numbers) {
    return false;
  }
  return arcs[0] == "2" || ((arcs[0] == "0" || arcs[0] == "1") && parse_number(arcs[1], 39));
}

// RFC 3986 section 4.3: a scheme and what it names, without a fragment; by its characters.
bool is_absolute_uri(std::string_view text) {
  const auto scheme = text.substr(0, text.find(':'));
  const auto rest = text.substr(scheme.size());
  const bool is_scheme =
      !scheme.empty() && is_letter(scheme[0]) && std::ranges::all_of(scheme, [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      });
  return is_scheme && rest.size() > 1 && std::ranges::all_of(rest, [](char c) {
           return is_letter(c) || is_digit(c) ||
                  std::string_view("-._~:/?[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
         });
}

result<std::string> check_collection_type(std::string_view type) {
  if (!is_dotted_oid(type) && !is_absolute_uri(type)) {
    return malformed("the collection's type is neither an OID nor an absolute URI");
  }
  return std::string(type);
}

result<cmw> from_cbor(const cbor::item& item);

result<cmw> record_from_cbor(const cbor::item& item) {
  const auto& parts = item.items;
  if (parts.size() != 2 && parts.size() != 3) {
    return malformed("a record has two or three elements, not " + std::to_string(parts.size()));
  }
  cmw_record record;
  if (parts[0].is(cbor::kind::text_string)) {
    ATLS_TRY(record.type, check_media_type(parts[0].text()));
  } else if (parts[0].is(cbor::kind::unsigned_integer) && parts[0].number <= 65535) {
    record.type = static_cast<std::uint16_t>(parts[0].number);
  } else {
    return malformed("the type is neither text nor a content-format");
  }
  if (!parts[1].is(cbor::kind::byte_string)) {
    return malformed("the value is not a byte string");
  }
  record.value = parts[1].content;
  if (parts.size() == 3) {
    if (!parts[2].is(cbor::kind::unsigned_integer)) {
      return malformed("the indicator is not an unsigned integer");
    }
    ATLS_TRY(record.indicator, check_indicator(parts[2].number));
  }
  return cmw{std::move(record)};
}

result<cmw> tag_from_cbor(const cbor::item& item) {
  if (item.number < first_tag || item.number > last_tag) {
    return malformed("tag " + std::to_string(item.number) + " names no content-format");
  }
  const auto offset = item.number - first_tag;
  if (offset % 256 == 255) {
    return malformed("tag " + std::to_string(item.number) + " is a hole between content-formats");
  }
  if (!item.items.front().is(cbor::kind::byte_string)) {
    return malformed("the tagged value is not a byte string");
  }
  cmw_record record;
  record.type = static_cast<std::uint16_t>(offset / 256 * 255 + offset % 256);
  record.value = item.items.front().content;
  return cmw{std::move(record)};
}

result<cmw> collection_from_cbor(const cbor::item& item) {
  cmw_collection collection;
  for (std::size_t i = 0; i < item.items.size(); i += 2) {
    const auto& key = item.items[i];
    const auto& value = item.items[i + 1];
    std::string label;
    if (key.is(cbor::kind::text_string)) {
      label = key.text();
    } else if (const auto number = key.integer()) {
      label = std::to_string(*number);
    } else {
      return malformed("a label is neither text nor an integer");
    }
    if (label == collection_type_label) {
      if (!value.is(cbor::kind::text_string)) {
        return malformed("the collection's type is not text");
      }
      ATLS_TRY(collection.type, check_collection_type(value.text()));
      continue;
    }
    ATLS_TRY(auto member, from_cbor(value));
    if (!collection.members.emplace(label, std::move(member)).second) {
      return malformed("label " + label + " appears twice");
    }
  }
  if (collection.members.empty()) {
    return malformed("the collection is empty");
  }
  return cmw{std::move(collection)};
}

result<cmw> from_cbor(const cbor::item& item) {
  switch (item.type) {
    case cbor::kind::array:
      return record_from_cbor(item);
    case cbor::kind::tag:
      return tag_from_cbor(item);
    case cbor::kind::map:
      return collection_from_cbor(item);
    default:
      return malformed("neither a record, a tag nor a collection");
  }
}

result<cmw> from_json(const json& value) {
  if (value.is_array()) {
    if ((value.size() != 2 && value.size() != 3) || !value[0].is_string() ||
        !value[1].is_string()) {
      return malformed("a JSON record is [media type, base64url, ? indicator]");
    }
    cmw_record record;
    ATLS_TRY(record.type, check_media_type(value[0].get_ref<const std::string&>()));
    auto content = from_base64url(value[1].get_ref<const std::string&>());
    if (!content) {
      return malformed("the value is not base64url without padding");
    }
    record.value = std::move(*content);
    if (value.size() == 3) {
      if (!value[2].is_number_unsigned()) {
        return malformed("the indicator is not an unsigned integer");
      }
      ATLS_TRY(record.indicator, check_indicator(value[2].get<std::uint64_t>()));
    }
    return cmw{std::move(record)};
  }
  if (!value.is_object()) {
    return malformed("neither a record nor a collection");
  }
  cmw_collection collection;
  for (const auto& [label, member] : value.items()) {
    if (label == collection_type_label) {
      if (!member.is_string()) {
        return malformed("the collection's type is not text");
      }
      ATLS_TRY(collection.type, check_collection_type(member.get_ref<const std::string&>()));
      continue;
    }
    ATLS_TRY(auto parsed, from_json(member));
    collection.members.emplace(label, std::move(parsed));
  }
  if (collection.members.empty()) {
    return malformed("the collection is empty");
  }
  return cmw{std::move(collection)};
}

}  // namespace

result<cmw> parse_cmw(bytes_view input) {
  if (input.empty()) {
    return malformed("it is empty");
  }
  if (input[0] == '[' || input[0] == '{') {
    ATLS_TRY(const json value, parse_json(as_text(input), errc::cmw_malformed));
    return from_json(value);
  }
  ATLS_TRY(const cbor::item item, cbor::decode(input, errc::cmw_malformed));
  return from_cbor(item);
}

result<cmw_record> parse_cmw_record(bytes_view input) {
  ATLS_TRY(cmw parsed, parse_cmw(input));
  if (parsed.record() == nullptr) {
    return malformed("a collection where a record is expected");
  }
  return std::get<cmw_record>(std::move(parsed.content));
}

bytes encode_cmw(std::string_view media_type, bytes_view value, std::uint32_t indicator) {
  cbor::writer out;
  out.array(indicator == 0 ? 2 : 3).text(media_type).byte_string(value);
  if (indicator != 0) {
    out.unsigned_integer(indicator);
  }
  return std::move(out).data();
}

}  // namespace atls
