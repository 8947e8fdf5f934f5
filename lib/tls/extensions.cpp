#include "tls/extensions.hpp"

namespace atls::tls {
namespace {

constexpr std::uint8_t content_format_encoding = 0;
constexpr std::uint8_t media_type_encoding = 1;

failure malformed(const char* why) {
  return {errc::extension_malformed, why};
}

result<std::string> read_type(byte_reader& in) {
  const auto encoding = in.u8();
  if (encoding == content_format_encoding) {
    if (const auto number = in.u16()) {
      return "content-format " + std::to_string(*number);
    }
  } else if (encoding == media_type_encoding) {
    if (const auto name = in.prefixed(2)) {
      return std::string(as_text(*name));
    }
  } else if (encoding) {
    return malformed("an Evidence type is neither a content-format nor a media type");
  }
  return malformed("an Evidence type ends early");
}

}  // namespace

bytes encode_type(std::string_view media_type) {
  bytes out{media_type_encoding};
  append_number(out, media_type.size(), 2);
  append(out, as_bytes(media_type));
  return out;
}

result<std::string> parse_type(bytes_view body) {
  byte_reader in(body);
  ATLS_TRY(auto type, read_type(in));
  if (!in.empty()) {
    return malformed("bytes after an Evidence type");
  }
  return type;
}

bytes encode_type_list(const evidence_types& types) {
  bytes list;
  for (const auto& type : types) {
    append(list, encode_type(type));
  }
  bytes out;
  append_number(out, list.size(), 1);
  append(out, list);
  return out;
}

result<evidence_types> parse_type_list(bytes_view body) {
  byte_reader outer(body);
  const auto list = outer.prefixed(1);
  if (!list || list->empty() || !outer.empty()) {
    return malformed("a list of Evidence types is empty, ends early or has bytes after it");
  }
  evidence_types out;
  byte_reader in(*list);
  while (!in.empty()) {
    ATLS_TRY(auto type, read_type(in));
    out.push_back(std::move(type));
  }
  return out;
}

bytes encode_attestation(bytes_view cmw) {
  bytes out;
  append_number(out, cmw.size(), 3);
  append(out, cmw);
  return out;
}

result<bytes> parse_attestation(bytes_view body) {
  byte_reader in(body);
  const auto cmw = in.prefixed(3);
  if (!cmw || cmw->empty() || !in.empty()) {
    return malformed("the attestation is empty, ends early or has bytes after it");
  }
  return to_bytes(*cmw);
}

}  // namespace atls::tls
