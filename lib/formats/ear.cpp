#include "formats/ear.hpp"

#include <algorithm>

namespace atls {
namespace {

failure malformed(std::string why) {
  return {errc::ear_malformed, std::move(why)};
}

struct tag {
  std::string_view name;
  int value;
};
// Names that Veraison writes for vector entries; each stands for one value wherever it appears.
constexpr tag claim_tags[] = {{"verifier_malfunction", -1},
                              {"no_claim", 0},
                              {"unexpected_evidence", 1},
                              {"unexected_evidence", 1},  // as the Go library spells it
                              {"crypto_failed", 99},
                              {"recognized_instance", 2},
                              {"untrustworthy_instance", 96},
                              {"unrecognized_instance", 97},
                              {"approved_config", 2},
                              {"safe_config", 3},
                              {"unsafe_config", 32},
                              {"unsupportable_config", 96},
                              {"approved_rt", 2},
                              {"approved_boot", 3},
                              {"unsafe_rt", 32},
                              {"unrecognized_rt", 33},
                              {"contraindicated_rt", 96},
                              {"approved_fs", 2},
                              {"unrecognized_fs", 32},
                              {"contraindicated_fs", 96},
                              {"genuine_hw", 2},
                              {"unsafe_hw", 32},
                              {"contraindicated_hw", 96},
                              {"unrecognized_hw", 97},
                              {"encrypted_rt", 2},
                              {"isolated_rt", 32},
                              {"visible_rt", 96},
                              {"hw_encrypted_secrets", 2},
                              {"sw_encrypted_secrets", 32},
                              {"unencrypted_secrets", 96},
                              {"trusted_sources", 2},
                              {"untrusted_sources", 32},
                              {"contraindicated_sources", 96}};

constexpr std::array tiers = {trust_tier::none, trust_tier::affirming, trust_tier::warning,
                              trust_tier::contraindicated};

result<trust_tier> tier_from_number(std::int64_t value) {
  for (const auto tier : tiers) {
    if (static_cast<std::int64_t>(tier) == value) {
      return tier;
    }
  }
  return malformed("status " + std::to_string(value) + " is not 0, 2, 32 or 96");
}

result<trust_tier> parse_status(const json& value) {
  if (const auto number = integral(value)) {
    return tier_from_number(*number);
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    for (const auto tier : tiers) {
      if (text == to_string(tier) || text == std::to_string(static_cast<int>(tier))) {
        return tier;
      }
    }
  }
  return malformed("status " + value.dump() + " is not a tier");
}

result<int> check_claim(std::int64_t value) {
  if (value < -128 || value > 127) {
    return malformed("vector entry " + std::to_string(value) + " is not an int8");
  }
  return static_cast<int>(value);
}

result<int> parse_claim(const json& value) {
  if (const auto number = integral(value)) {
    return check_claim(*number);
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    for (const auto& [name, number] : claim_tags) {
      if (text == name) {
        return number;
      }
    }
  }
  return malformed("vector entry " + value.dump() + " is neither a number nor a known name");
}

// Claim names in one of the two spellings.
struct spelling {
  char separator;

  std::string operator()(std::string_view name) const {
    std::string out = "ear.";
    out += name;
    if (is_draft()) {
      std::ranges::replace(out, '.', '_');
      std::ranges::replace(out, '-', '_');
    }
    return out;
  }
  bool is_draft() const noexcept { return separator == '_'; }
};

spelling spelling_of(std::string_view profile) {
  return {profile.starts_with("tag:ietf.org,") ? '_' : '.'};
}

result<trust_vector> parse_vector(const json& value) {
  if (!value.is_object()) {
    return malformed("the trust vector is not an object");
  }
  trust_vector vector{};
  for (std::size_t i = 0; i < trust_claims.size(); ++i) {
    if (const auto entry = value.find(trust_claims[i]); entry != value.end()) {
      ATLS_TRY(vector[i], parse_claim(*entry));
    }
  }
  return vector;
}

result<std::vector<std::string>> parse_policy_ids(const json& appraisal, const spelling& name) {
  const auto key = name.is_draft() ? name("appraisal-policy-ids") : name("appraisal-policy-id");
  std::vector<std::string> ids;
  const auto member = appraisal.find(key);
  if (member == appraisal.end()) {
    return ids;
  }
  if (member->is_string()) {
    ids.push_back(member->get<std::string>());
    return ids;
  }
  if (!member->is_array()) {
    return malformed(key + " is neither text nor an array");
  }
  for (const auto& id : *member) {
    if (!id.is_string()) {
      return malformed(key + " holds something other than text");
    }
    ids.push_back(id.get<std::string>());
  }
  return ids;
}

result<ear_appraisal> parse_appraisal(const json& value, const spelling& name) {
  ear_appraisal out;
  if (!value.is_object() || !value.contains(name("status"))) {
    return malformed("a submodule has no " + name("status"));
  }
  ATLS_TRY(out.status, parse_status(value[name("status")]));
  if (const auto vector = value.find(name("trustworthiness-vector")); vector != value.end()) {
    ATLS_TRY(out.vector, parse_vector(*vector));
  }
  ATLS_TRY(out.policy_ids, parse_policy_ids(value, name));
  if (const auto key = value.find(name("veraison.key-attestation")); key != value.end()) {
    if (!key->is_object()) {
      return malformed("the key attestation is not an object");
    }
    if (key->contains("akpub")) {
      const auto text = string_member(*key, "akpub");
      auto decoded = text ? from_base64url(*text) : std::nullopt;
      if (!decoded) {
        return malformed("akpub is not base64url");
      }
      out.attested_key = std::move(*decoded);
    }
  }
  out.annotated_evidence = value.value(name("veraison.annotated-evidence"), json());
  out.policy_claims = value.value(name("veraison.policy-claims"), json());
  return out;
}

result<std::optional<std::int64_t>> optional_time(const json& claims, const char* name) {
  const auto member = claims.find(name);
  if (member == claims.end()) {
    return std::optional<std::int64_t>();
  }
  const auto value = integral(*member);
  if (!value) {
    return malformed(std::string(name) + " is not a whole number of seconds");
  }
  return value;
}

}  // namespace

std::string_view to_string(trust_tier tier) noexcept {
  switch (tier) {
    case trust_tier::none:
      return "none";
    case trust_tier::affirming:
      return "affirming";
    case trust_tier::warning:
      return "warning";
    case trust_tier::contraindicated:
      break;
  }
  return "contraindicated";
}

trust_tier tier_of(int claim) noexcept {
  if (claim >= -1 && claim <= 1) {
    return trust_tier::none;
  }
  if (claim >= -32 && claim <= 31) {
    return trust_tier::affirming;
  }
  if (claim >= -96 && claim <= 95) {
    return trust_tier::warning;
  }
  return trust_tier::contraindicated;
}

trust_tier ear_appraisal::vector_tier() const noexcept {
  trust_tier worst = trust_tier::none;
  for (const int claim : vector) {
    worst = std::max(worst, tier_of(claim));
  }
  return worst;
}

result<ear> ear::parse(std::string_view text) {
  ATLS_TRY(const json claims, parse_json(text, errc::ear_malformed));
  return from_json(claims);
}

result<ear> ear::from_json(const json& claims) {
  ear out;
  if (!claims.is_object()) {
    return malformed("the claims are not an object");
  }
  const auto profile = string_member(claims, "eat_profile");
  if (!profile) {
    return malformed("eat_profile is absent");
  }
  out.profile = *profile;
  const auto name = spelling_of(out.profile);

  ATLS_TRY(const auto issued_at, optional_time(claims, "iat"));
  if (!issued_at) {
    return malformed("iat is absent");
  }
  out.issued_at = *issued_at;
  ATLS_TRY(out.expires, optional_time(claims, "exp"));
  ATLS_TRY(out.not_before, optional_time(claims, "nbf"));

  const auto verifier = claims.find(name("verifier-id"));
  if (verifier == claims.end() || !verifier->is_object() || !string_member(*verifier, "build") ||
      !string_member(*verifier, "developer")) {
    return malformed(name("verifier-id") + " lacks a build or developer");
  }
  out.build = *string_member(*verifier, "build");
  out.developer = *string_member(*verifier, "developer");

  if (claims.contains("eat_nonce")) {
    const auto text = string_member(claims, "eat_nonce");
    auto nonce = text ? from_any_base64(*text) : std::nullopt;
    if (!nonce || text->size() < 8 || text->size() > 88) {
      return malformed("eat_nonce is not base64 of 8 to 88 characters");
    }
    out.nonce = std::move(*nonce);
  }

  const auto submodules = claims.find("submods");
  if (submodules == claims.end() || !submodules->is_object() || submodules->empty()) {
    return malformed("submods is absent or empty");
  }
  for (const auto& [label, value] : submodules->items()) {
    ATLS_TRY(out.submodules[label], parse_appraisal(value, name));
  }
  return out;
}

result<ear> ear::from_cbor(const cbor::item& claims) {
  // Keys of draft-ietf-rats-ear section 3 and RFC 9711.
  enum : std::int64_t {
    expires_key = 4,
    not_before_key = 5,
    issued_at_key = 6,
    nonce_key = 10,
    profile_key = 265,
    submodules_key = 266,
    status_key = 1000,
    vector_key = 1001,
    policy_ids_key = 1003,
    verifier_id_key = 1004,
    key_attestation_key = -70002,
  };
  using cbor::kind;
  const auto text_of = [](const cbor::item* item) -> std::optional<std::string> {
    return item != nullptr && item->is(kind::text_string) ? std::optional(std::string(item->text()))
                                                          : std::nullopt;
  };
  ear out;
  const auto profile = text_of(claims.find(profile_key));
  const auto* issued_at = claims.find(issued_at_key);
  const auto* verifier = claims.find(verifier_id_key);
  const auto* submodules = claims.find(submodules_key);
  if (!profile || issued_at == nullptr || !issued_at->integer() || verifier == nullptr ||
      submodules == nullptr || !submodules->is(kind::map) || submodules->items.empty()) {
    return malformed("a mandatory CWT claim is absent or of another type");
  }
  out.profile = *profile;
  out.issued_at = *issued_at->integer();
  for (const auto& [key, name, to] :
       {std::tuple(expires_key, "exp", &out.expires), {not_before_key, "nbf", &out.not_before}}) {
    if (const auto* time = claims.find(key)) {
      if (!time->integer()) {
        return malformed(std::string(name) + " is not a whole number of seconds");
      }
      *to = time->integer();
    }
  }
  const auto developer = text_of(verifier->find(std::int64_t{0}));
  const auto build = text_of(verifier->find(std::int64_t{1}));
  if (!developer || !build) {
    return malformed("the verifier identity lacks a build or developer");
  }
  out.developer = *developer;
  out.build = *build;
  if (const auto* nonce = claims.find(nonce_key)) {
    if (!nonce->is(kind::byte_string)) {
      return malformed("the nonce is not a byte string");
    }
    out.nonce = nonce->content;
  }
  for (std::size_t i = 0; i < submodules->items.size(); i += 2) {
    const auto label = text_of(&submodules->items[i]);
    const auto& value = submodules->items[i + 1];
    const auto* status = value.find(status_key);
    if (!label || status == nullptr || !status->integer()) {
      return malformed("a submodule has no status");
    }
    ear_appraisal appraisal;
    ATLS_TRY(appraisal.status, tier_from_number(*status->integer()));
    if (const auto* vector = value.find(vector_key)) {
      for (std::size_t entry = 0; entry < trust_claims.size(); ++entry) {
        if (const auto* claim = vector->find(static_cast<std::int64_t>(entry))) {
          ATLS_TRY(appraisal.vector[entry], check_claim(claim->integer().value_or(INT64_MAX)));
        }
      }
    }
    if (const auto* ids = value.find(policy_ids_key)) {
      // An array in the draft; rust-ear writes a single text.
      const std::vector<cbor::item> single{*ids};
      for (const auto& id : ids->is(kind::array) ? ids->items : single) {
        const auto text = text_of(&id);
        if (!text) {
          return malformed("a policy identifier is not text");
        }
        appraisal.policy_ids.push_back(*text);
      }
    }
    if (const auto* key = value.find(key_attestation_key)) {
      if (const auto* akpub = key->find("akpub")) {
        appraisal.attested_key = akpub->content;
      }
    }
    out.submodules.emplace(*label, std::move(appraisal));
  }
  return out;
}

json ear::to_json() const {
  json submods = json::object();
  for (const auto& [label, appraisal] : submodules) {
    json vector = json::object();
    for (std::size_t i = 0; i < trust_claims.size(); ++i) {
      vector[std::string(trust_claims[i])] = appraisal.vector[i];
    }
    json entry{{"ear.status", to_string(appraisal.status)},
               {"ear.trustworthiness-vector", std::move(vector)}};
    if (!appraisal.policy_ids.empty()) {
      entry["ear.appraisal-policy-id"] = appraisal.policy_ids.front();
    }
    if (!appraisal.attested_key.empty()) {
      entry["ear.veraison.key-attestation"] = {{"akpub", to_base64url(appraisal.attested_key)}};
    }
    if (!appraisal.annotated_evidence.is_null()) {
      entry["ear.veraison.annotated-evidence"] = appraisal.annotated_evidence;
    }
    if (!appraisal.policy_claims.is_null()) {
      entry["ear.veraison.policy-claims"] = appraisal.policy_claims;
    }
    submods[label] = std::move(entry);
  }
  json out{{"eat_profile", profile},
           {"iat", issued_at},
           {"ear.verifier-id", {{"build", build}, {"developer", developer}}},
           {"eat_nonce", to_base64url_padded(nonce)},
           {"submods", std::move(submods)}};
  if (expires) {
    out["exp"] = *expires;
  }
  if (not_before) {
    out["nbf"] = *not_before;
  }
  return out;
}

}  // namespace atls
