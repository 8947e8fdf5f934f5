#include "formats/corim.hpp"

#include "core/openssl.hpp"
#include "formats/cose.hpp"

namespace atls {
namespace {

using cbor::item;
using cbor::kind;

// Tags of draft-ietf-rats-corim section 11.
enum : std::uint64_t { uri_tag = 32, corim_tag = 501, comid_tag = 506, pem_key_tag = 554 };

constexpr cbor::limits corim_limits{.size_bytes = 16u << 20, .depth = 16, .items = 100'000};

failure malformed(std::string why) {
  return {errc::corim_malformed, std::move(why)};
}

// Tag and document identifiers follow from the content, so that equal endorsements are equal bytes.
bytes id_of(std::string_view purpose, bytes_view content) {
  bytes seed = to_bytes(as_bytes(purpose));
  append(seed, content);
  return uuid_from(seed);
}

void write_tag(cbor::writer& out, bytes_view comid, const corim_form& form) {
  if (form.is_comid_tagged_outside) {
    out.tag(comid_tag).byte_string(comid);
    return;
  }
  bytes tagged = cbor::writer().tag(comid_tag).data();
  append(tagged, comid);
  out.byte_string(tagged);
}

// The URI of a profile: with or without tag 32, by itself or, in the oldest form, in a list of one.
result<std::string> read_profile(const item& profile) {
  if (profile.is(kind::array) && profile.items.size() == 1) {
    return read_profile(profile.items[0]);
  }
  const auto* uri = profile.is(kind::tag) ? profile.tagged(uri_tag) : &profile;
  if (uri == nullptr || !uri->is(kind::text_string)) {
    return malformed("the profile is not a URI");
  }
  return std::string(uri->text());
}

// The CoMID in one element of a CoRIM's tags; nullopt if it is something else (a CoSWID, a CoTL).
result<std::optional<item>> read_comid(const item& element) {
  std::optional<item> comid;
  if (element.is(kind::byte_string)) {
    ATLS_TRY(const item inner, cbor::decode(element.content, errc::corim_malformed, corim_limits));
    if (const auto* tagged = inner.tagged(comid_tag)) {
      comid = *tagged;
    }
  } else if (const auto* encoded = element.tagged(comid_tag)) {
    if (!encoded->is(kind::byte_string)) {
      return malformed("a CoMID is not a byte string");
    }
    ATLS_TRY(comid, cbor::decode(encoded->content, errc::corim_malformed, corim_limits));
  }
  if (!comid) {
    return comid;
  }
  const auto* triples = comid->find(std::int64_t{4});
  if (comid->find(std::int64_t{1}) == nullptr || triples == nullptr || !triples->is(kind::map)) {
    return malformed("a CoMID lacks its identity or its triples");
  }
  return comid;
}

}  // namespace

result<corim> parse_corim(bytes_view input) {
  ATLS_TRY(const item document, cbor::decode(input, errc::corim_malformed, corim_limits));
  const item* map = document.tagged(corim_tag);
  if (map == nullptr || !map->is(kind::map)) {
    return malformed("it does not start with tag 501 and a map");
  }
  corim out;
  const auto* id = map->find(std::int64_t{0});
  if (id == nullptr ||
      !(id->is(kind::text_string) || (id->is(kind::byte_string) && id->content.size() == 16))) {
    return malformed("the identifier is absent or neither text nor 16 bytes");
  }
  out.id = id->is(kind::text_string) ? std::string(id->text()) : format_uuid(id->content);
  if (const auto* profile = map->find(std::int64_t{3})) {
    ATLS_TRY(out.profile, read_profile(*profile));
  }
  const auto* tags = map->find(std::int64_t{1});
  if (tags == nullptr || !tags->is(kind::array) || tags->items.empty()) {
    return malformed("there are no tags");
  }
  for (const auto& tag : tags->items) {
    ATLS_TRY(auto comid, read_comid(tag));
    if (comid) {
      out.comids.push_back(std::move(*comid));
    }
  }
  return out;
}

result<std::vector<triple>> triples_of(const item& comid, std::int64_t key) {
  std::vector<triple> out;
  const auto* list = comid.find(std::int64_t{4})->find(key);
  if (list == nullptr) {
    return out;
  }
  if (!list->is(kind::array)) {
    return malformed("a list of triples is not an array");
  }
  for (const auto& one : list->items) {
    if (!one.is(kind::array) || one.items.size() != 2 || !one.items[0].is(kind::map) ||
        !one.items[1].is(kind::array)) {
      return malformed("a triple is not an environment and an array");
    }
    out.push_back({one.items[0], one.items[1].items});
  }
  return out;
}

result<bytes> verification_key(const triple& of) {
  if (of.said.size() != 1) {
    return malformed("a trust anchor has " + std::to_string(of.said.size()) +
                     " keys, expected one");
  }
  const auto* pem = of.said[0].tagged(pem_key_tag);
  if (pem == nullptr || !pem->is(kind::text_string)) {
    return malformed("a trust anchor's key is not a PEM public key");
  }
  auto spki = spki_from_pem(pem->text());
  if (!spki) {
    return malformed("a trust anchor: " + spki.error().detail);
  }
  return spki;
}

result<signed_corim> parse_unverified_signed_corim(bytes_view input) {
  ATLS_TRY(const auto message, parse_cose_sign1(input, errc::corim_malformed));
  const auto& header = message.header;
  signed_corim out;
  const auto algorithm = message.algorithm();
  const auto* content_type = header.find(std::int64_t{3});
  if (!algorithm || content_type == nullptr || !content_type->is(kind::text_string)) {
    return malformed("the protected header lacks an algorithm or content type");
  }
  out.algorithm = *algorithm;
  out.content_type = content_type->text();
  if (const auto* kid = header.find(std::int64_t{4})) {
    out.kid = kid->content;
  }
  ATLS_TRY(out.content, parse_corim(message.payload));
  return out;
}

bytes encode_comid(std::string_view purpose, std::int64_t triples_key, bytes_view triples) {
  cbor::writer head;
  head.map(2);
  head.unsigned_integer(1).map(1).unsigned_integer(0).byte_string(id_of(purpose, triples));
  head.unsigned_integer(4).map(1).integer(triples_key);
  bytes out = std::move(head).data();
  append(out, triples);
  return out;
}

bytes encode_corim(const std::vector<bytes>& comids, std::string_view profile,
                   const corim_form& form) {
  bytes content;
  for (const auto& comid : comids) {
    append(content, comid);
  }
  cbor::writer out;
  out.tag(corim_tag).map(3);
  out.unsigned_integer(0).byte_string(id_of("corim", content));
  out.unsigned_integer(1).array(comids.size());
  for (const auto& comid : comids) {
    write_tag(out, comid, form);
  }
  out.unsigned_integer(3);
  if (form.is_profile_tagged) {
    out.tag(uri_tag);
  }
  out.text(profile);
  return std::move(out).data();
}

std::optional<bytes> parse_uuid(std::string_view text) {
  if (text.size() != 36) {
    return std::nullopt;
  }
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) {
      return std::nullopt;
    }
    if (!dash) {
      digits += text[i];
    }
  }
  return from_hex(digits);
}

std::string format_uuid(bytes_view uuid) {
  std::string out = to_hex(uuid);
  for (const std::size_t dash : {20, 16, 12, 8}) {
    out.insert(dash, "-");
  }
  return out;
}

bytes uuid_from(bytes_view seed) {
  bytes id = digest("SHA256", seed);
  id.resize(16);
  id[6] = (id[6] & 0x0f) | 0x80;
  id[8] = (id[8] & 0x3f) | 0x80;
  return id;
}

}  // namespace atls
