#include "formats/ear_token.hpp"

#include "core/text.hpp"
#include "formats/cose.hpp"

#include <algorithm>

namespace atls {
namespace {

bool is_jwt(std::string_view token) {
  return token.find('.') != std::string_view::npos;
}

std::string_view without_last_newlines(std::string_view text) {
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return text;
}

// What a file or a Verifier's JSON holds, as the bytes of a COSE_Sign1.
std::optional<bytes> cwt_in(bytes_view content) {
  if (parse_cose_sign1(content, errc::ear_malformed)) {
    return to_bytes(content);
  }
  auto decoded = from_any_base64(without_last_newlines(as_text(content)));
  return decoded && parse_cose_sign1(*decoded, errc::ear_malformed) ? decoded : std::nullopt;
}

result<ear> read_cbor(bytes_view claims) {
  ATLS_TRY(const auto item, cbor::decode(claims, errc::ear_malformed));
  return ear::from_cbor(item);
}

result<unverified_ear> read_jwt(std::string_view token) {
  const auto segments = split(token, '.');
  if (segments.size() != 3) {
    return failure(errc::ear_malformed, "not the three segments of a JWS");
  }
  const auto header = from_base64url(segments[0]);
  const auto payload = from_base64url(segments[1]);
  if (!header || !payload) {
    return failure(errc::ear_malformed, "its segments are not base64url");
  }
  ATLS_TRY(auto claims, ear::parse(as_text(*payload)));
  ATLS_TRY(auto names, parse_json(as_text(*header), errc::ear_malformed));
  return unverified_ear{std::move(claims), std::move(names)};
}

}  // namespace

result<ear> read_verified_ear(std::string_view token, const jws_key& key) {
  if (is_jwt(token)) {
    ATLS_TRY(const auto payload, verify_jws(token, key));
    return ear::parse(payload);
  }
  const auto cwt = from_any_base64(token);
  if (!cwt) {
    return failure(errc::ear_malformed, "neither a JWT nor a CWT in base64url");
  }
  ATLS_TRY(const bytes payload, verify_cwt(*cwt, key));
  return read_cbor(payload);
}

result<unverified_ear> read_unverified_ear(bytes_view content) {
  const auto text = without_last_newlines(as_text(content));
  if (text.starts_with('{')) {
    ATLS_TRY(auto claims, ear::parse(text));
    return unverified_ear{std::move(claims), json()};
  }
  if (text.starts_with("ey")) {
    return read_jwt(text);
  }
  const auto cwt = cwt_in(content);
  const auto signed_claims = cwt ? parse_cose_sign1(*cwt, errc::ear_malformed)
                                 : result<cose_sign1>(failure(errc::ear_malformed));
  ATLS_TRY(auto claims, read_cbor(signed_claims ? bytes_view(signed_claims->payload) : content));
  return unverified_ear{std::move(claims), json()};
}

bool is_signed_by(bytes_view content, const jws_keys& keys) {
  const auto text = without_last_newlines(as_text(content));
  const auto cwt = is_jwt(text) ? std::nullopt : cwt_in(content);
  return std::ranges::any_of(keys, [&](const auto& key) {
    return cwt ? verify_cwt(*cwt, *key).has_value() : verify_jws(text, *key).has_value();
  });
}

}  // namespace atls
