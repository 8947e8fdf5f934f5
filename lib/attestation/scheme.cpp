#include "attestation/scheme.hpp"

namespace atls {
namespace {

constexpr std::uint8_t content_format_encoding = 0;
constexpr std::uint8_t media_type_encoding = 1;
constexpr std::size_t length_size = 2;

failure malformed(const char* why) {
  return {errc::extension_malformed, why};
}

bytes named(bytes prefix, std::string_view name) {
  append_number(prefix, name.size(), length_size);
  append(prefix, as_bytes(name));
  return prefix;
}

result<void> skip_evidence_type(byte_reader& from) {
  const auto encoding = from.u8();
  if (encoding == content_format_encoding) {
    return from.u16() ? result<void>() : malformed("a content-format ends early");
  }
  if (encoding == media_type_encoding) {
    return from.prefixed(length_size) ? result<void>() : malformed("a media type ends early");
  }
  return malformed("an Evidence type is neither a content-format nor a media type");
}

}  // namespace

attestation_scheme attestation_scheme::evidence(std::string_view media_type) {
  return attestation_scheme(
      named({static_cast<std::uint8_t>(attestation_model::background_check), media_type_encoding},
            media_type));
}

attestation_scheme attestation_scheme::result_of(std::string_view verifier_identity) {
  return attestation_scheme(
      named({static_cast<std::uint8_t>(attestation_model::passport)}, verifier_identity));
}

result<attestation_scheme> attestation_scheme::read(byte_reader& from) {
  const bytes_view start = from.rest();
  const auto mechanism = from.u8();
  if (mechanism == static_cast<std::uint8_t>(attestation_model::background_check)) {
    ATLS_CHECK(skip_evidence_type(from));
  } else if (mechanism == static_cast<std::uint8_t>(attestation_model::passport)) {
    if (!from.prefixed(length_size)) {
      return malformed("a Verifier's identity ends early");
    }
  } else {
    return malformed("an attestation scheme is neither Evidence nor a result");
  }
  return attestation_scheme(to_bytes(start.first(start.size() - from.rest().size())));
}

attestation_model attestation_scheme::model() const noexcept {
  return static_cast<attestation_model>(encoded_.front());
}

std::string attestation_scheme::name() const {
  byte_reader in(encoded_);
  in.u8();
  if (model() == attestation_model::background_check && in.u8() == content_format_encoding) {
    return "content-format " + std::to_string(*in.u16());
  }
  return std::string(as_text(*in.prefixed(length_size)));
}

std::string attestation_scheme::text() const {
  return model() == attestation_model::passport ? "result of " + name() : name();
}

std::string text_of(const attestation_schemes& schemes) {
  std::string out;
  for (const auto& one : schemes) {
    out += (out.empty() ? "" : ", ") + one.text();
  }
  return out.empty() ? "none" : out;
}

}  // namespace atls
