// EAR claims in CBOR, as a CWT carries them.
#include "formats/ear.hpp"
#include "formats/ear_values.hpp"

namespace atls {
namespace {

using cbor::item;
using cbor::kind;

// Keys of draft-ietf-rats-ear section 3 and RFC 9711.
namespace key {
constexpr std::int64_t expires = 4;
constexpr std::int64_t not_before = 5;
constexpr std::int64_t issued_at = 6;
constexpr std::int64_t nonce = 10;
constexpr std::int64_t profile = 265;
constexpr std::int64_t submodules = 266;
constexpr std::int64_t status = 1000;
constexpr std::int64_t vector = 1001;
constexpr std::int64_t policy_ids = 1003;
constexpr std::int64_t verifier_id = 1004;
constexpr std::int64_t key_attestation = -70002;
// Inside the Verifier's identity.
constexpr std::int64_t developer = 0;
constexpr std::int64_t build = 1;
}  // namespace key

failure malformed(std::string why) {
  return {errc::ear_malformed, std::move(why)};
}

std::optional<std::string> text_of(const item* of) {
  return of != nullptr && of->is(kind::text_string) ? std::optional(std::string(of->text()))
                                                    : std::nullopt;
}

result<std::optional<std::int64_t>> optional_time(const item& claims, std::int64_t at,
                                                  const char* name) {
  const auto* time = claims.find(at);
  if (time == nullptr) {
    return std::optional<std::int64_t>();
  }
  const auto value = time->integer();
  if (!value) {
    return malformed(std::string(name) + " is not a whole number of seconds");
  }
  return value;
}

result<void> read_verifier(const item& identity, ear& out) {
  auto developer = text_of(identity.find(key::developer));
  auto build = text_of(identity.find(key::build));
  if (!developer || !build) {
    return malformed("the verifier identity lacks a build or developer");
  }
  out.developer = std::move(*developer);
  out.build = std::move(*build);
  return {};
}

// Of the claims that are always there.
result<void> read_mandatory(const item& claims, ear& out) {
  auto profile = text_of(claims.find(key::profile));
  const auto* issued_at = claims.find(key::issued_at);
  const auto* verifier = claims.find(key::verifier_id);
  if (!profile || issued_at == nullptr || !issued_at->integer() || verifier == nullptr) {
    return malformed("a mandatory CWT claim is absent or of another type");
  }
  out.profile = std::move(*profile);
  out.issued_at = *issued_at->integer();
  return read_verifier(*verifier, out);
}

result<trust_vector> read_vector(const item& vector) {
  trust_vector out{};
  for (std::size_t entry = 0; entry < out.size(); ++entry) {
    if (const auto* claim = vector.find(static_cast<std::int64_t>(entry))) {
      ATLS_TRY(out[entry], check_claim(claim->integer().value_or(INT64_MAX)));
    }
  }
  return out;
}

// An array in the draft; rust-ear writes a single text.
result<std::vector<std::string>> read_policy_ids(const item& ids) {
  const std::vector<item> single{ids};
  std::vector<std::string> out;
  for (const auto& id : ids.is(kind::array) ? ids.items : single) {
    auto text = text_of(&id);
    if (!text) {
      return malformed("a policy identifier is not text");
    }
    out.push_back(std::move(*text));
  }
  return out;
}

result<ear_appraisal> read_appraisal(const item& value) {
  ear_appraisal out;
  const auto* status = value.find(key::status);
  if (status == nullptr || !status->integer()) {
    return malformed("a submodule has no status");
  }
  ATLS_TRY(out.status, tier_from_number(*status->integer()));
  if (const auto* vector = value.find(key::vector)) {
    ATLS_TRY(out.vector, read_vector(*vector));
  }
  if (const auto* ids = value.find(key::policy_ids)) {
    ATLS_TRY(out.policy_ids, read_policy_ids(*ids));
  }
  const auto* attestation = value.find(key::key_attestation);
  const auto* akpub = attestation != nullptr ? attestation->find("akpub") : nullptr;
  if (akpub != nullptr) {
    out.attested_key = akpub->content;
  }
  return out;
}

result<void> read_submodules(const item& claims, ear& out) {
  const auto* submodules = claims.find(key::submodules);
  if (submodules == nullptr || !submodules->is(kind::map) || submodules->items.empty()) {
    return malformed("submods is absent or empty");
  }
  for (std::size_t i = 0; i < submodules->items.size(); i += 2) {
    const auto label = text_of(&submodules->items[i]);
    if (!label) {
      return malformed("a submodule's label is not text");
    }
    ATLS_TRY(auto appraisal, read_appraisal(submodules->items[i + 1]));
    out.submodules.emplace(*label, std::move(appraisal));
  }
  return {};
}

}  // namespace

result<ear> ear::from_cbor(const item& claims) {
  ear out;
  ATLS_CHECK(read_mandatory(claims, out));
  ATLS_TRY(out.expires, optional_time(claims, key::expires, "exp"));
  ATLS_TRY(out.not_before, optional_time(claims, key::not_before, "nbf"));
  if (const auto* nonce = claims.find(key::nonce)) {
    if (!nonce->is(kind::byte_string)) {
      return malformed("the nonce is not a byte string");
    }
    out.nonce = nonce->content;
  }
  ATLS_CHECK(read_submodules(claims, out));
  return out;
}

}  // namespace atls
