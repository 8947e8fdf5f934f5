#include "schemes/arm_cca/token.hpp"

#include "formats/cose.hpp"

namespace atls {
namespace {

constexpr std::uint64_t collection_tag = 907;
constexpr std::uint64_t old_collection_tag = 399;
constexpr std::uint64_t eat_cwt_format = 263;
constexpr std::int64_t platform_label = 44234;
constexpr std::int64_t realm_label = 44241;

// Claims.
constexpr std::int64_t challenge = 10;
constexpr std::int64_t instance_id = 256;
constexpr std::int64_t profile = 265;
constexpr std::int64_t lifecycle = 2395;
constexpr std::int64_t implementation_id = 2396;
constexpr std::int64_t software_components = 2399;
constexpr std::int64_t config = 2401;
constexpr std::int64_t personalization_value = 44235;
constexpr std::int64_t public_key = 44237;
constexpr std::int64_t initial_measurement = 44238;
constexpr std::int64_t extensible_measurements = 44239;
constexpr std::int64_t public_key_hash = 44240;

failure malformed(std::string why) {
  return {errc::evidence_malformed, "CCA token: " + std::move(why)};
}

result<bytes> byte_string(const cbor::item& from, std::int64_t label) {
  const auto* const found = from.find(label);
  if (found == nullptr || !found->is(cbor::kind::byte_string)) {
    return malformed("claim " + std::to_string(label) + " is absent or not a byte string");
  }
  return found->content;
}

result<bytes> byte_string(const cbor::item& from, std::int64_t label, std::size_t size) {
  ATLS_TRY(auto out, byte_string(from, label));
  if (out.size() != size) {
    return malformed("claim " + std::to_string(label) + " has " + std::to_string(out.size()) +
                     " bytes, expected " + std::to_string(size));
  }
  return out;
}

result<std::string> text(const cbor::item& from, std::int64_t label) {
  const auto* const found = from.find(label);
  if (found == nullptr || !found->is(cbor::kind::text_string)) {
    return malformed("claim " + std::to_string(label) + " is absent or not text");
  }
  return std::string(found->text());
}

result<cbor::item> claims_of(bytes_view token) {
  ATLS_TRY(const auto message, parse_cose_sign1(token, errc::evidence_malformed));
  ATLS_TRY(auto claims, cbor::decode(message.payload, errc::evidence_malformed));
  if (!claims.is(cbor::kind::map)) {
    return malformed("claims that are not a map");
  }
  return claims;
}

result<std::vector<bytes>> read_components(const cbor::item& claims) {
  constexpr std::int64_t measurement_value = 2;
  const auto* const list = claims.find(software_components);
  if (list == nullptr || !list->is(cbor::kind::array) || list->items.empty()) {
    return malformed("it has no software components");
  }
  std::vector<bytes> out;
  for (const auto& one : list->items) {
    ATLS_TRY(out.emplace_back(), byte_string(one, measurement_value));
  }
  return out;
}

result<cca_platform> read_platform(bytes_view token) {
  ATLS_TRY(const auto claims, claims_of(token));
  cca_platform out;
  { ATLS_TRY(out.profile, text(claims, profile)); }
  { ATLS_TRY(out.challenge, byte_string(claims, challenge)); }
  { ATLS_TRY(out.implementation_id, byte_string(claims, implementation_id, 32)); }
  { ATLS_TRY(out.instance_id, byte_string(claims, instance_id, 33)); }
  { ATLS_TRY(out.config, byte_string(claims, config)); }
  { ATLS_TRY(out.components, read_components(claims)); }
  const auto* const state = claims.find(lifecycle);
  if (state == nullptr || !state->is(cbor::kind::unsigned_integer) || state->number > 0xffff) {
    return malformed("its lifecycle is not a number of 16 bits");
  }
  out.lifecycle = static_cast<std::uint16_t>(state->number);
  return out;
}

result<cca_realm> read_realm(bytes_view token) {
  ATLS_TRY(const auto claims, claims_of(token));
  cca_realm out;
  out.is_public_key_cose = claims.find(profile) != nullptr;
  { ATLS_TRY(out.challenge, byte_string(claims, challenge, 64)); }
  { ATLS_TRY(out.personalization_value, byte_string(claims, personalization_value, 64)); }
  { ATLS_TRY(out.initial_measurement, byte_string(claims, initial_measurement)); }
  { ATLS_TRY(out.public_key, byte_string(claims, public_key)); }
  { ATLS_TRY(out.public_key_hash, text(claims, public_key_hash)); }
  const auto* const measurements = claims.find(extensible_measurements);
  if (measurements == nullptr || !measurements->is(cbor::kind::array) ||
      measurements->items.size() != out.extensible_measurements.size()) {
    return malformed("it has not four extensible measurements");
  }
  for (std::size_t i = 0; i < measurements->items.size(); ++i) {
    if (!measurements->items[i].is(cbor::kind::byte_string)) {
      return malformed("an extensible measurement is not a byte string");
    }
    out.extensible_measurements[i] = measurements->items[i].content;
  }
  return out;
}

// A member of the collection: with its content-format since tag 907, bare before.
result<bytes> member(const cbor::item& collection, std::int64_t label, bool is_typed) {
  const auto* found = collection.find(label);
  if (found != nullptr && is_typed) {
    const bool is_cwt = found->is(cbor::kind::array) && found->items.size() == 2 &&
                        found->items[0].is(cbor::kind::unsigned_integer) &&
                        found->items[0].number == eat_cwt_format;
    found = is_cwt ? &found->items[1] : nullptr;
  }
  if (found == nullptr || !found->is(cbor::kind::byte_string)) {
    return malformed("it lacks member " + std::to_string(label));
  }
  return found->content;
}

json p384_jwk(bytes_view x, bytes_view y) {
  return {{"kty", "EC"}, {"crv", "P-384"}, {"x", to_base64url(x)}, {"y", to_base64url(y)}};
}

// RFC 9053 section 7.1.1: kty 1, crv -1, x -2, y -3.
result<jws_key> from_cose_key(bytes_view encoded) {
  constexpr std::uint64_t ec2 = 2;
  constexpr std::uint64_t p384 = 2;
  ATLS_TRY(const auto key, cbor::decode(encoded, errc::evidence_malformed));
  const auto is_number = [&](std::int64_t label, std::uint64_t value) {
    const auto* const found = key.find(label);
    return found != nullptr && found->is(cbor::kind::unsigned_integer) && found->number == value;
  };
  if (!is_number(1, ec2) || !is_number(-1, p384)) {
    return malformed("the realm's key is not on P-384");
  }
  ATLS_TRY(const auto x, byte_string(key, -2));
  ATLS_TRY(const auto y, byte_string(key, -3));
  return parse_jwk(p384_jwk(x, y));
}

result<jws_key> realm_key(const cca_realm& realm) {
  constexpr std::size_t coordinate = 48;
  if (realm.is_public_key_cose) {
    return from_cose_key(realm.public_key);
  }
  const bytes_view raw = realm.public_key;
  if (raw.size() != 1 + 2 * coordinate || raw.front() != 4) {
    return malformed("the realm's key is not a point on P-384");
  }
  return parse_jwk(p384_jwk(raw.subspan(1, coordinate), raw.last(coordinate)));
}

std::optional<const char*> openssl_name(std::string_view hash) {
  return hash == "sha-256"   ? std::optional("SHA256")
         : hash == "sha-384" ? std::optional("SHA384")
         : hash == "sha-512" ? std::optional("SHA512")
                             : std::nullopt;
}

}  // namespace

result<cca_token> cca_token::parse(bytes_view input) {
  ATLS_TRY(const auto document,
           cbor::decode(input, errc::evidence_malformed, {.size_bytes = longest_bytes}));
  const auto* collection = document.tagged(collection_tag);
  const bool is_typed = collection != nullptr;
  if (!is_typed) {
    collection = document.tagged(old_collection_tag);
  }
  if (collection == nullptr || !collection->is(cbor::kind::map) || collection->items.size() != 4) {
    return malformed("expected tag 907 or 399 around a map of two");
  }
  cca_token out;
  { ATLS_TRY(out.platform_token, member(*collection, platform_label, is_typed)); }
  { ATLS_TRY(out.realm_token, member(*collection, realm_label, is_typed)); }
  { ATLS_TRY(out.platform, read_platform(out.platform_token)); }
  { ATLS_TRY(out.realm, read_realm(out.realm_token)); }
  return out;
}

result<void> check_realm(const cca_token& token) {
  const auto hash = openssl_name(token.realm.public_key_hash);
  if (!hash || !equal(digest(*hash, token.realm.public_key), token.platform.challenge)) {
    return failure(errc::cca_realm_key, "hashed with " + token.realm.public_key_hash);
  }
  ATLS_TRY(const auto key, realm_key(token.realm));
  const auto verified = verify_cwt(token.realm_token, key);
  if (!verified) {
    return failure(errc::cca_signature, "of the realm token");
  }
  return {};
}

}  // namespace atls
