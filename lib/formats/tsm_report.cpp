#include "formats/tsm_report.hpp"

#include "formats/cbor.hpp"
#include "formats/json.hpp"

#include <algorithm>

namespace atls {
namespace {

failure malformed(std::string why) {
  return {errc::evidence_malformed, "TSM report: " + std::move(why)};
}

struct byte_member {
  std::string_view name;
  bytes tsm_report::*to;
};
struct text_member {
  std::string_view name;
  std::string tsm_report::*to;
};
constexpr byte_member byte_members[] = {{"outblob", &tsm_report::outblob},
                                        {"auxblob", &tsm_report::auxblob},
                                        {"manifestblob", &tsm_report::manifestblob}};
constexpr text_member text_members[] = {{"provider", &tsm_report::provider},
                                        {"service_provider", &tsm_report::service_provider}};

template <class Members>
auto find_member(const Members& among, std::string_view name) {
  const auto found = std::ranges::find(among, name, [](const auto& one) { return one.name; });
  return found == std::end(among) ? nullptr : &*found;
}

// `read_bytes` and `read_text` give what a value holds, or nullopt.
template <class Value, class ReadBytes, class ReadText>
result<void> read_member(tsm_report& to, std::string_view name, const Value& value,
                         ReadBytes read_bytes, ReadText read_text) {
  if (const auto* const known = find_member(byte_members, name)) {
    auto content = read_bytes(value);
    if (!content) {
      return malformed(std::string(name) + " is not a byte string");
    }
    to.*known->to = std::move(*content);
    return {};
  }
  if (const auto* const known = find_member(text_members, name)) {
    auto content = read_text(value);
    if (!content) {
      return malformed(std::string(name) + " is not text");
    }
    to.*known->to = std::move(*content);
    return {};
  }
  return malformed("unknown member \"" + std::string(name) + "\"");
}

result<tsm_report> parse_json_form(bytes_view input) {
  ATLS_TRY(const auto document, parse_json(as_text(input), errc::evidence_malformed));
  if (!document.is_object()) {
    return malformed("not an object");
  }
  const auto text = [](const json& value) {
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
  };
  const auto byte_string = [&](const json& value) {
    const auto encoded = text(value);
    return encoded ? from_any_base64(*encoded) : std::nullopt;
  };
  tsm_report out;
  for (const auto& [name, value] : document.items()) {
    ATLS_CHECK(read_member(out, name, value, byte_string, text));
  }
  return out;
}

result<tsm_report> parse_cbor_form(bytes_view input) {
  ATLS_TRY(const auto document, cbor::decode(input, errc::evidence_malformed,
                                             {.size_bytes = tsm_report::longest_bytes}));
  if (!document.is(cbor::kind::map)) {
    return malformed("not a map");
  }
  const auto byte_string = [](const cbor::item& value) {
    return value.is(cbor::kind::byte_string) ? std::optional(value.content) : std::nullopt;
  };
  const auto text = [](const cbor::item& value) {
    return value.is(cbor::kind::text_string) ? std::optional(std::string(value.text()))
                                             : std::nullopt;
  };
  tsm_report out;
  for (std::size_t i = 0; i + 1 < document.items.size(); i += 2) {
    const auto name = text(document.items[i]);
    if (!name) {
      return malformed("a member's name is not text");
    }
    ATLS_CHECK(read_member(out, *name, document.items[i + 1], byte_string, text));
  }
  return out;
}

}  // namespace

result<tsm_report> tsm_report::parse(bytes_view input) {
  if (input.empty() || input.size() > longest_bytes) {
    return malformed("found " + std::to_string(input.size()) + " bytes, expected 1 to " +
                     std::to_string(longest_bytes));
  }
  ATLS_TRY(auto out, input.front() == '{' ? parse_json_form(input) : parse_cbor_form(input));
  // The kernel's line end, which some attesters leave.
  if (out.provider.ends_with('\n')) {
    out.provider.pop_back();
  }
  if (out.provider.empty() || out.outblob.empty()) {
    return malformed(out.provider.empty() ? "provider is absent" : "outblob is absent");
  }
  return out;
}

bytes tsm_report::encode() const {
  const auto is_there = [&](const auto& member) { return !(this->*member.to).empty(); };
  const auto count =
      std::ranges::count_if(byte_members, is_there) + std::ranges::count_if(text_members, is_there);
  cbor::writer out;
  out.map(static_cast<std::size_t>(count));
  for (const auto& one : byte_members) {
    if (is_there(one)) {
      out.text(one.name).byte_string(this->*one.to);
    }
  }
  for (const auto& one : text_members) {
    if (is_there(one)) {
      out.text(one.name).text(this->*one.to);
    }
  }
  return std::move(out).data();
}

}  // namespace atls
