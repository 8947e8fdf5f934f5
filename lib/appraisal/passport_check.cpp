#include "appraisal/passport_check.hpp"

#include "formats/cmw.hpp"
#include "formats/ear_token.hpp"

#include <algorithm>

namespace atls {
namespace {

enum class token_kind { jwt, cwt };

constexpr std::string_view jwt_type = "application/eat+jwt";
constexpr std::string_view cwt_type = "application/eat+cwt";
/// What the EAR draft writes for the first, unregistered.
constexpr std::string_view draft_jwt_type = "application/eat-jwt";
/// CoAP content-formats (RFC 9782 section 6.3).
constexpr std::uint16_t cwt_format = 263;
constexpr std::uint16_t jwt_format = 264;

bool is_jwt(std::string_view token) {
  return token.find('.') != std::string_view::npos;
}

// In lower case, without its parameters.
std::string essence_of(std::string_view media_type) {
  std::string out(media_type.substr(0, media_type.find(';')));
  while (out.ends_with(' ') || out.ends_with('\t')) {
    out.pop_back();
  }
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

result<token_kind> kind_of(const cmw_record& record) {
  if (const auto* format = std::get_if<std::uint16_t>(&record.type)) {
    if (*format == jwt_format) {
      return token_kind::jwt;
    }
    if (*format == cwt_format) {
      return token_kind::cwt;
    }
    return failure(errc::evidence_type_unexpected,
                   "found content-format " + std::to_string(*format) +
                       ", expected an Attestation Result: 264 (JWT) or 263 (CWT)");
  }
  const auto& media_type = std::get<std::string>(record.type);
  const auto essence = essence_of(media_type);
  if (essence == jwt_type || essence == draft_jwt_type) {
    return token_kind::jwt;
  }
  if (essence == cwt_type) {
    return token_kind::cwt;
  }
  return failure(errc::evidence_type_unexpected,
                 "found " + media_type + ", expected an Attestation Result: " +
                     std::string(jwt_type) + " or " + std::string(cwt_type));
}

// Whose results have exactly these submodules; null: no scheme's that is taken here. The names are
// looked at before the signature is, and are demanded of what is signed.
std::shared_ptr<const evidence_scheme> scheme_of(std::string_view token,
                                                 const evidence_schemes& taken) {
  const auto read = read_unverified_ear(as_bytes(token));
  const auto found = std::ranges::find_if(taken, [&](const auto& scheme) {
    const auto submodules = scheme->shape().submodules;
    return read && !submodules.empty() && submodules.size() == read->claims.submodules.size() &&
           std::ranges::all_of(submodules, [&](const auto& one) {
             return read->claims.submodules.contains(one.name);
           });
  });
  return found == taken.end() ? nullptr : *found;
}

result<result_binding> binding_for(const passport_expectations& expected,
                                   const evidence_scheme* scheme) {
  result_binding out;
  out.profiles = {ear::veraison_profile, ear::ietf_profile, ear::ietf_profile_04,
                  ear::trustee_profile};
  const auto shape = scheme != nullptr ? scheme->shape() : result_shape{.names_key = true};
  out.submodules = shape.submodules;
  if (shape.names_key) {
    out.leaf_spki = to_bytes(expected.leaf_spki);
  }
  if (expected.is_fresh) {
    out.nonce = to_bytes(expected.binder);
  } else if (!shape.names_key) {
    ATLS_TRY(out.nonce, nonce_naming(expected.leaf_spki));
  }
  if (out.nonce && scheme != nullptr) {
    out.nonce = scheme->veraison_nonce(*out.nonce);
  }
  return out;
}

failure as_passport(failure why) {
  if (why.code == errc::ear_stale || why.code == errc::ear_expired) {
    why.code = errc::passport_expired;
  }
  return why;
}

// Trustee names a submodule by the kind of device, and the TEE in what it has appraised.
result<void> check_tee(const ear& claims, const evidence_schemes& taken) {
  if (claims.profile != ear::trustee_profile) {
    return {};
  }
  const auto& [name, appraisal] = *claims.submodules.begin();
  const auto tees = tees_in(appraisal.annotated_evidence);
  if (tees.size() != 1) {
    return failure(errc::ear_evidence,
                   "it is about " + std::to_string(tees.size()) + " TEEs, expected one");
  }
  const auto scheme = std::ranges::find_if(
      taken, [&](const auto& one) { return one->shape().tee == tees.front(); });
  if (scheme == taken.end()) {
    return failure(errc::ear_evidence,
                   "it is about " + tees.front() + ", which this tunnel does not take");
  }
  return check_vector(appraisal, {name, (*scheme)->shape().tee_affirmed});
}

}  // namespace

bytes encode_passport(std::string_view token, std::string_view profile) {
  const bool is_text = is_jwt(token);
  const auto type =
      std::string(is_text ? jwt_type : cwt_type) + "; eat_profile=\"" + std::string(profile) + "\"";
  const bytes value =
      is_text ? to_bytes(as_bytes(token)) : from_any_base64(token).value_or(bytes());
  return encode_cmw(type, value, cmw_record::attestation_results);
}

result<std::string> read_passport(bytes_view cmw) {
  ATLS_TRY(const auto record, parse_cmw_record(cmw));
  ATLS_TRY(const auto kind, kind_of(record));
  if (record.indicator != 0 && (record.indicator & cmw_record::attestation_results) == 0) {
    return failure(errc::cmw_malformed, "its indicator is " + std::to_string(record.indicator) +
                                            ", expected 8 for Attestation Results");
  }
  if (kind == token_kind::cwt) {
    return to_base64url(record.value);
  }
  std::string token(as_text(record.value));
  if (!is_jwt(token)) {
    return failure(errc::cmw_malformed, "its type says JWT, its value is none");
  }
  return token;
}

result<bytes> nonce_naming(bytes_view leaf_spki) {
  ATLS_TRY(auto key, key_from_spki(leaf_spki));
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  // nlohmann_json writes members in the order of their names, and no spaces.
  const json named{{"tee-pubkey", to_jwk({std::move(algorithm), std::move(key)})}};
  return digest("SHA512", as_bytes(named.dump()));
}

result<verified_ear> check_passport(bytes_view cmw, const passport_expectations& expected) {
  ATLS_TRY(const auto token, read_passport(cmw));
  result_policy policy = expected.results;
  policy.max_age = expected.max_age;
  ATLS_TRY(const auto binding, binding_for(expected, scheme_of(token, expected.schemes).get()));
  auto ear = check_ear(token, expected.keys, binding, policy, expected.now);
  if (!ear) {
    return as_passport(ear.error());
  }
  ATLS_CHECK(check_tee(ear->claims(), expected.schemes));
  return ear;
}

}  // namespace atls
