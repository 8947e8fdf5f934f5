#include "formats/ear.hpp"

#include "formats/ear_values.hpp"
#include "formats/jose.hpp"

#include <algorithm>

namespace atls {
namespace {

failure malformed(std::string why) {
  return {errc::ear_malformed, std::move(why)};
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

// Trustee's results repeat the runtime data, whose hash the TEE has signed; its Key Broker Service
// puts the attester's key there.
bytes key_in_runtime_data(const json& annotated_evidence) {
  const json none;
  const auto member = [&](const json& of, const char* name) -> const json& {
    return of.is_object() && of.contains(name) ? of[name] : none;
  };
  const auto key =
      parse_jwk(member(member(annotated_evidence, "runtime_data_claims"), "tee-pubkey"));
  const auto spki = key ? spki_of(key->key.get()) : result<bytes>(key.error());
  return spki ? *spki : bytes();
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
    ATLS_TRY(auto appraisal, parse_appraisal(value, name));
    if (out.profile == trustee_profile) {
      appraisal.attested_key = key_in_runtime_data(appraisal.annotated_evidence);
    }
    out.submodules[label] = std::move(appraisal);
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
