// EAT Attestation Result (EAR): the claims, read strictly; who signed them is verify_jws's
// business.
//
// Two spellings of the same claims are read: Veraison's of 2023 ("ear.status") and the IETF draft's
// (draft-ietf-rats-ear, "ear_status"); the profile tells which. CBOR claims follow the draft.
#pragma once

#include "formats/cbor.hpp"
#include "formats/json.hpp"

#include <array>
#include <map>
#include <optional>

namespace atls {

/// Trustworthiness tiers (draft-ietf-rats-ar4si section 2.3.2), worst last.
enum class trust_tier { none = 0, affirming = 2, warning = 32, contraindicated = 96 };

std::string_view to_string(trust_tier tier) noexcept;
/// The tier of one vector entry (an int8).
trust_tier tier_of(int claim) noexcept;

/// The eight entries in the order of their CBOR keys 0 to 7.
inline constexpr std::array<std::string_view, 8> trust_claims = {
    "instance-identity", "configuration",  "executables",    "file-system",
    "hardware",          "runtime-opaque", "storage-opaque", "sourced-data"};
/// Their indices.
namespace trust_claim {
inline constexpr std::size_t instance_identity = 0;
inline constexpr std::size_t configuration = 1;
inline constexpr std::size_t executables = 2;
inline constexpr std::size_t file_system = 3;
inline constexpr std::size_t hardware = 4;
inline constexpr std::size_t runtime_opaque = 5;
inline constexpr std::size_t storage_opaque = 6;
inline constexpr std::size_t sourced_data = 7;
}  // namespace trust_claim
using trust_vector = std::array<int, trust_claims.size()>;

struct ear_appraisal {
  trust_tier status = trust_tier::none;
  trust_vector vector{};
  std::vector<std::string> policy_ids;
  /// DER SubjectPublicKeyInfo as claimed: Veraison's akpub, which is not checked to be a key, or
  /// Trustee's "tee-pubkey" among the runtime data; empty if absent.
  bytes attested_key;
  json annotated_evidence;
  json policy_claims;

  /// The worst of all entries: what the status may not be better than.
  trust_tier vector_tier() const noexcept;
};

struct ear {
  static constexpr std::string_view veraison_profile = "tag:github.com,2023:veraison/ear";
  static constexpr std::string_view trustee_profile =
      "tag:github.com,2024:confidential-containers/Trustee";
  static constexpr std::string_view ietf_profile = "tag:ietf.org,2026:rats/ear#03";
  /// The revision after it; the claims that are read here are the same.
  static constexpr std::string_view ietf_profile_04 = "tag:ietf.org,2026:rats/ear#04";

  std::string profile;
  /// Seconds since the epoch.
  std::int64_t issued_at = 0;
  std::optional<std::int64_t> not_before;
  std::optional<std::int64_t> expires;
  std::string developer;
  std::string build;
  /// Decoded eat_nonce; empty if absent.
  bytes nonce;
  std::map<std::string, ear_appraisal, std::less<>> submodules;

  /// Mandatory members present and well-formed; unknown members are ignored.
  static result<ear> from_json(const json& claims);
  static result<ear> parse(std::string_view text);
  static result<ear> from_cbor(const cbor::item& claims);

  /// In Veraison's spelling, as our reference Verifier writes it.
  json to_json() const;
};

}  // namespace atls
