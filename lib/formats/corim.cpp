#include "formats/corim.hpp"

#include "core/openssl.hpp"
#include "formats/cose.hpp"

#include <algorithm>

namespace atls {
namespace {

using cbor::item;
using cbor::kind;

// Tags of draft-ietf-rats-corim section 11.
enum : std::uint64_t {
  uri_tag = 32,
  uuid_tag = 37,
  corim_tag = 501,
  comid_tag = 506,
  ueid_tag = 550,
  pem_key_tag = 554,
  bytes_tag = 560,
};

// Keys of a CoMID's triples map.
enum : std::int64_t { reference_values_key = 0, attester_verification_keys = 3 };

constexpr cbor::limits corim_limits{.size_bytes = 16u << 20, .depth = 16, .items = 100'000};

failure malformed(std::string why) {
  return {errc::corim_malformed, std::move(why)};
}

struct named_hash {
  std::uint64_t id;
  tpm_hash hash;
  std::size_t size;
};
// IANA Named Information Hash Algorithm Registry.
constexpr std::array named_hashes = {named_hash{1, tpm_hash::sha256, 32},
                                     named_hash{7, tpm_hash::sha384, 48},
                                     named_hash{8, tpm_hash::sha512, 64}};

result<bytes> class_of(const item& environment) {
  const auto* environment_class = environment.find(std::int64_t{0});
  const auto* id =
      environment_class != nullptr ? environment_class->find(std::int64_t{0}) : nullptr;
  const auto* uuid = id != nullptr ? id->tagged(uuid_tag) : nullptr;
  if (uuid == nullptr || !uuid->is(kind::byte_string) || uuid->content.size() != 16) {
    return malformed("an environment has no class with a uuid");
  }
  if (environment.find(std::int64_t{2}) != nullptr) {
    return malformed("an environment has a group, which this profile does not use");
  }
  return uuid->content;
}

result<parsec_tpm_endorsements::trust_anchor> parse_trust_anchor(const item& triple) {
  parsec_tpm_endorsements::trust_anchor out;
  const item& environment = triple.items[0];
  ATLS_TRY(out.class_id, class_of(environment));
  const auto* instance = environment.find(std::int64_t{1});
  const item* kid = nullptr;
  if (instance != nullptr) {
    kid = instance->tagged(bytes_tag) != nullptr ? instance->tagged(bytes_tag)
                                                 : instance->tagged(ueid_tag);
  }
  if (kid == nullptr || !kid->is(kind::byte_string) || kid->content.empty()) {
    return malformed("a trust anchor's instance is not bytes or a UEID");
  }
  out.kid = kid->content;
  const auto& keys = triple.items[1].items;
  if (keys.size() != 1) {
    return malformed("a trust anchor has " + std::to_string(keys.size()) + " keys, expected one");
  }
  const auto* pem = keys[0].tagged(pem_key_tag);
  if (pem == nullptr || !pem->is(kind::text_string)) {
    return malformed("a trust anchor's key is not a PEM public key");
  }
  auto spki = spki_from_pem(pem->text());
  if (!spki) {
    return malformed("a trust anchor: " + spki.error().detail);
  }
  out.ak_spki = std::move(*spki);
  return out;
}

result<parsec_tpm_endorsements::reference_values> parse_reference(const item& triple) {
  parsec_tpm_endorsements::reference_values out;
  const item& environment = triple.items[0];
  ATLS_TRY(out.class_id, class_of(environment));
  if (environment.find(std::int64_t{1}) != nullptr) {
    return malformed("reference values have an instance, which this profile does not use");
  }
  for (const auto& measurement : triple.items[1].items) {
    const auto* key = measurement.find(std::int64_t{0});
    if (key == nullptr || !key->is(kind::unsigned_integer) || key->number > 31) {
      return malformed("a measurement has no PCR number as its key");
    }
    const auto* value = measurement.find(std::int64_t{1});
    const auto* digests = value != nullptr ? value->find(std::int64_t{2}) : nullptr;
    if (digests == nullptr || !digests->is(kind::array) || digests->items.empty()) {
      return malformed("a measurement has no digests");
    }
    for (const auto& entry : digests->items) {
      if (!entry.is(kind::array) || entry.items.size() != 2 ||
          !entry.items[1].is(kind::byte_string)) {
        return malformed("a digest is not [algorithm, bytes]");
      }
      const auto* hash = std::ranges::find(named_hashes, entry.items[0].number, &named_hash::id);
      if (!entry.items[0].is(kind::unsigned_integer) || hash == named_hashes.end() ||
          entry.items[1].content.size() != hash->size) {
        return malformed("a digest is not of SHA-256, SHA-384 or SHA-512, or not of its size");
      }
      const auto pcr = static_cast<unsigned>(key->number);
      if (!out.digests.try_emplace({pcr, hash->hash}, entry.items[1].content).second) {
        return malformed("PCR " + std::to_string(pcr) + " has two digests in one bank");
      }
    }
  }
  if (out.digests.empty()) {
    return malformed("reference values hold no measurement");
  }
  return out;
}

// Calls `parse` for each triple, an array of environment and array, under a key of the triples map.
template <class Out, class Parse>
result<void> parse_triples(const item& triples, std::int64_t key, std::vector<Out>& out,
                           Parse parse) {
  const auto* list = triples.find(key);
  if (list == nullptr) {
    return {};
  }
  if (!list->is(kind::array)) {
    return malformed("a list of triples is not an array");
  }
  for (const auto& triple : list->items) {
    if (!triple.is(kind::array) || triple.items.size() != 2 || !triple.items[0].is(kind::map) ||
        !triple.items[1].is(kind::array)) {
      return malformed("a triple is not an environment and an array");
    }
    ATLS_TRY(auto parsed, parse(triple));
    out.push_back(std::move(parsed));
  }
  return {};
}

void write_class(cbor::writer& out, bytes_view class_id) {
  out.unsigned_integer(0).map(1).unsigned_integer(0).tag(uuid_tag).byte_string(class_id);
}

// Tag and document identifiers follow from the content, so that equal endorsements are equal bytes.
bytes id_of(std::string_view purpose, bytes_view content) {
  bytes seed = to_bytes(as_bytes(purpose));
  append(seed, content);
  return uuid_from(seed);
}

// {1: {0: id}, 4: {key: triples}}
bytes make_comid(std::string_view purpose, std::int64_t triples_key, bytes_view triples) {
  cbor::writer head;
  head.map(2);
  head.unsigned_integer(1).map(1).unsigned_integer(0).byte_string(id_of(purpose, triples));
  head.unsigned_integer(4).map(1).integer(triples_key);
  bytes out = std::move(head).data();
  append(out, triples);
  return out;
}

bytes make_comid(const std::vector<parsec_tpm_endorsements::trust_anchor>& anchors,
                 const corim_form& form) {
  cbor::writer out;
  out.array(anchors.size());
  for (const auto& anchor : anchors) {
    out.array(2).map(2);
    write_class(out, anchor.class_id);
    out.unsigned_integer(1).tag(form.kid_tag).byte_string(anchor.kid);
    out.array(1).tag(pem_key_tag).text(spki_to_pem(anchor.ak_spki));
  }
  return make_comid("trust anchors", attester_verification_keys, out.data());
}

bytes make_comid(const std::vector<parsec_tpm_endorsements::reference_values>& references) {
  cbor::writer out;
  out.array(references.size());
  for (const auto& reference : references) {
    out.array(2).map(1);
    write_class(out, reference.class_id);
    std::map<unsigned, std::vector<std::pair<std::uint64_t, bytes_view>>> by_pcr;
    for (const auto& [key, value] : reference.digests) {
      const auto* hash = std::ranges::find(named_hashes, key.second, &named_hash::hash);
      by_pcr[key.first].emplace_back(hash->id, value);
    }
    out.array(by_pcr.size());
    for (const auto& [pcr, digests] : by_pcr) {
      out.map(2).unsigned_integer(0).unsigned_integer(pcr);
      out.unsigned_integer(1).map(1).unsigned_integer(2).array(digests.size());
      for (const auto& [id, value] : digests) {
        out.array(2).unsigned_integer(id).byte_string(value);
      }
    }
  }
  return make_comid("reference values", reference_values_key, out.data());
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

result<parsec_tpm_endorsements> parsec_tpm_endorsements::from_corim(const corim& source) {
  if (source.profile != profile) {
    return malformed("the profile is \"" + source.profile + "\", expected \"" +
                     std::string(profile) + "\"");
  }
  parsec_tpm_endorsements out;
  for (const auto& comid : source.comids) {
    const auto& triples = *comid.find(std::int64_t{4});
    ATLS_CHECK(parse_triples(triples, reference_values_key, out.references, parse_reference));
    ATLS_CHECK(
        parse_triples(triples, attester_verification_keys, out.trust_anchors, parse_trust_anchor));
  }
  if (out.references.empty() && out.trust_anchors.empty()) {
    return malformed("it holds neither trust anchors nor reference values");
  }
  return out;
}

bytes parsec_tpm_endorsements::encode(const corim_form& form) const {
  std::vector<bytes> comids;
  if (!trust_anchors.empty()) {
    comids.push_back(make_comid(trust_anchors, form));
  }
  if (!references.empty()) {
    comids.push_back(make_comid(references));
  }
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
