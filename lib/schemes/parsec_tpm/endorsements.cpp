#include "schemes/parsec_tpm/endorsements.hpp"

#include "core/openssl.hpp"

#include <algorithm>

namespace atls {
namespace {

using cbor::item;
using cbor::kind;

// Tags of draft-ietf-rats-corim section 11.
enum : std::uint64_t { uuid_tag = 37, ueid_tag = 550, pem_key_tag = 554, bytes_tag = 560 };

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

result<parsec_tpm_endorsements::trust_anchor> parse_trust_anchor(const triple& of) {
  parsec_tpm_endorsements::trust_anchor out;
  const auto& environment = of.environment;
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
  { ATLS_TRY(out.ak_spki, verification_key(of)); }
  return out;
}

result<parsec_tpm_endorsements::reference_values> parse_reference(const triple& of) {
  parsec_tpm_endorsements::reference_values out;
  const auto& environment = of.environment;
  ATLS_TRY(out.class_id, class_of(environment));
  if (environment.find(std::int64_t{1}) != nullptr) {
    return malformed("reference values have an instance, which this profile does not use");
  }
  for (const auto& measurement : of.said) {
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

// Calls `parse` for each triple under a key of the triples map.
template <class Out, class Parse>
result<void> parse_triples(const item& comid, std::int64_t key, std::vector<Out>& out,
                           Parse parse) {
  ATLS_TRY(const auto triples, triples_of(comid, key));
  for (const auto& one : triples) {
    ATLS_TRY(auto parsed, parse(one));
    out.push_back(std::move(parsed));
  }
  return {};
}

void write_class(cbor::writer& out, bytes_view class_id) {
  out.unsigned_integer(0).map(1).unsigned_integer(0).tag(uuid_tag).byte_string(class_id);
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
  return encode_comid("trust anchors", attester_verification_keys, out.data());
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
  return encode_comid("reference values", reference_values_key, out.data());
}

}  // namespace

result<parsec_tpm_endorsements> parsec_tpm_endorsements::from_corim(const corim& source) {
  if (source.profile != profile) {
    return malformed("the profile is \"" + source.profile + "\", expected \"" +
                     std::string(profile) + "\"");
  }
  parsec_tpm_endorsements out;
  for (const auto& comid : source.comids) {
    ATLS_CHECK(parse_triples(comid, reference_values_key, out.references, parse_reference));
    ATLS_CHECK(
        parse_triples(comid, attester_verification_keys, out.trust_anchors, parse_trust_anchor));
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
  return encode_corim(comids, profile, form);
}

}  // namespace atls
