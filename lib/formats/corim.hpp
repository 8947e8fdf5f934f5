// CoRIM (draft-ietf-rats-corim): the envelope of endorsements.
#pragma once

#include "formats/cbor.hpp"

#include <array>

namespace atls {

/// corim-map, profile and CoMIDs only.
struct corim {
  /// Text, or 16 bytes as hexadecimal.
  std::string id;
  /// Empty if absent.
  std::string profile;
  /// Decoded concise-mid-tags.
  std::vector<cbor::item> comids;
};

/// Tag 501 around a corim-map, in any corim_form.
result<corim> parse_corim(bytes_view input);

/// Keys of a CoMID's triples map (draft-ietf-rats-corim section 5.1.4).
enum : std::int64_t { reference_values_key = 0, attester_verification_keys = 3 };
/// An environment (a map) and what is said of it (an array).
struct triple {
  const cbor::item& environment;
  const std::vector<cbor::item>& said;
};
/// Those under a key of a CoMID's triples map.
result<std::vector<triple>> triples_of(const cbor::item& comid, std::int64_t key);
/// The one key of an attester verification triple, a PEM public key, as DER SubjectPublicKeyInfo.
result<bytes> verification_key(const triple& of);

/// How endorsements are written for a release of Veraison's services. Each refuses the forms of the
/// others.
struct corim_form {
  std::string_view release;
  /// Tag 506 around the byte string of a CoMID; if not, the byte string holds tag 506 and the
  /// CoMID.
  bool is_comid_tagged_outside;
  /// Tag 32 around the profile.
  bool is_profile_tagged;
  /// The tag of a kid, the instance of a trust anchor's environment: 550 (UEID) or 560 (bytes).
  std::uint64_t kid_tag;
  /// What it is submitted as, to which the profile is added.
  std::string_view media_type;
};
inline constexpr std::array corim_forms = {
    // The development branch, since August 2026.
    corim_form{"veraison-main", true, true, 560, "application/rim+cbor"},
    // v0.0.2603 to v0.0.2608.
    corim_form{"veraison-2608", true, false, 560, "application/rim+cbor"},
    // v0.0.2512 to v0.0.2602.
    corim_form{"veraison-2602", true, false, 550, "application/corim-unsigned+cbor"},
    // Before.
    corim_form{"veraison-2511", false, false, 550, "application/corim-unsigned+cbor"},
};
/// That of the newest release.
inline constexpr const corim_form& default_corim_form = corim_forms[1];

/// COSE_Sign1 (tag 18) around a CoRIM. The signature is NOT checked.
struct signed_corim {
  std::int64_t algorithm = 0;
  std::string content_type;
  bytes kid;
  corim content;
};
result<signed_corim> parse_unverified_signed_corim(bytes_view input);

/// {1: {0: id}, 4: {key: triples}}; `triples` is encoded. `purpose` and content make the id, so
/// that equal endorsements are equal bytes.
bytes encode_comid(std::string_view purpose, std::int64_t triples_key, bytes_view triples);
/// Tag 501 around a corim-map of these CoMIDs.
bytes encode_corim(const std::vector<bytes>& comids, std::string_view profile,
                   const corim_form& form);

/// 16 bytes from and to "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
std::optional<bytes> parse_uuid(std::string_view text);
std::string format_uuid(bytes_view uuid);
/// The same for the same seed: UUID version 8 (RFC 9562 section 5.8) of its SHA-256.
bytes uuid_from(bytes_view seed);

}  // namespace atls
