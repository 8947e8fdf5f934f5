#include "atls/documents.hpp"

#include "appraisal/policy/facts.hpp"
#include "core/text.hpp"
#include "dialects/veraison/challenge_response.hpp"
#include "formats/corim.hpp"
#include "formats/cose.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

namespace atls {
namespace {

std::string_view without_last_newlines(std::string_view text) {
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return text;
}

struct jws_parts {
  bytes header;
  bytes payload;
};

result<jws_parts> split_jws(std::string_view token) {
  const auto segments = split(token, '.');
  if (segments.size() != 3) {
    return failure(errc::ear_malformed, "not the three segments of a JWS");
  }
  auto header = from_base64url(segments[0]);
  auto payload = from_base64url(segments[1]);
  if (!header || !payload) {
    return failure(errc::ear_malformed, "its segments are not base64url");
  }
  return jws_parts{std::move(*header), std::move(*payload)};
}

result<json> describe_claims(const ear& claims) {
  json submodules;
  for (const auto& [name, appraisal] : claims.submodules) {
    json vector;
    for (std::size_t i = 0; i < trust_claims.size(); ++i) {
      vector[std::string(trust_claims[i])] = appraisal.vector[i];
    }
    submodules[name] = {{"status", to_string(appraisal.status)},
                        {"tier_of_vector", to_string(appraisal.vector_tier())},
                        {"vector", std::move(vector)},
                        {"policy_ids", appraisal.policy_ids},
                        {"policy_claims", appraisal.policy_claims},
                        {"attested_key", to_hex(appraisal.attested_key)}};
  }
  json out{{"kind", "Attestation Result"},
           {"profile", claims.profile},
           {"issued_at", claims.issued_at},
           {"verifier", {{"developer", claims.developer}, {"build", claims.build}}},
           {"nonce", to_hex(claims.nonce)},
           {"submodules", std::move(submodules)}};
  if (claims.expires) {
    out["expires"] = *claims.expires;
  }
  return out;
}

result<json> describe_corim(const corim& content) {
  json out{{"kind", "CoRIM"},
           {"id", content.id},
           {"profile", content.profile},
           {"comids", content.comids.size()}};
  if (content.profile != parsec_tpm_endorsements::profile) {
    return out;
  }
  ATLS_TRY(const auto endorsements, parsec_tpm_endorsements::from_corim(content));
  for (const auto& anchor : endorsements.trust_anchors) {
    out["trust_anchors"].push_back({{"class", format_uuid(anchor.class_id)},
                                    {"kid", to_hex(anchor.kid)},
                                    {"spki", to_hex(anchor.ak_spki)}});
  }
  for (const auto& reference : endorsements.references) {
    json digests;
    for (const auto& [of, digest] : reference.digests) {
      digests[std::string(name_of(of.second).value_or("unknown"))][std::to_string(of.first)] =
          to_hex(digest);
    }
    out["reference_values"].push_back(
        {{"class", format_uuid(reference.class_id)}, {"pcrs", std::move(digests)}});
  }
  return out;
}

result<json> describe_evidence(bytes_view evidence) {
  ATLS_TRY(auto out, evidence_facts(evidence));
  out["kind"] = "PARSEC_TPM Evidence";
  return out;
}

result<json> describe_cmw(const cmw& wrapped) {
  json out{{"kind", "CMW"}};
  if (const auto* record = wrapped.record()) {
    const auto* name = std::get_if<std::string>(&record->type);
    out["type"] = name != nullptr ? json(*name) : json(std::get<std::uint16_t>(record->type));
    out["indicator"] = record->indicator;
    const auto inner = describe_document(record->value);
    out["value"] = inner ? *inner : json(to_hex(record->value));
    return out;
  }
  const auto* collection = wrapped.collection();
  out["collection"] = collection->type;
  for (const auto& [label, member] : collection->members) {
    ATLS_TRY(out["members"][label], describe_cmw(member));
  }
  return out;
}

result<json> describe_json(std::string_view text) {
  ATLS_TRY(const auto document, parse_json(text, errc::evidence_malformed));
  if (const auto session = challenge_response::parse_session(text)) {
    json out{{"kind", "Verifier session"}, {"nonce", to_hex(session->nonce)}};
    if (!session->result.empty()) {
      ATLS_TRY(out["result"], describe_token(session->result));
    }
    return out;
  }
  if (const auto claims = ear::from_json(document)) {
    return describe_claims(*claims);
  }
  ATLS_TRY(const auto wrapped, parse_cmw(as_bytes(text)));
  return describe_cmw(wrapped);
}

}  // namespace

result<json> describe_token(std::string_view token) {
  ATLS_TRY(const auto parts, split_jws(token));
  ATLS_TRY(const auto claims, ear::parse(as_text(parts.payload)));
  ATLS_TRY(auto out, describe_claims(claims));
  ATLS_TRY(out["header"], parse_json(as_text(parts.header), errc::ear_malformed));
  return out;
}

result<ear> parse_unverified_result(bytes_view content) {
  const auto text = without_last_newlines(as_text(content));
  if (text.starts_with('{')) {
    return ear::parse(text);
  }
  if (text.starts_with("ey")) {
    ATLS_TRY(const auto parts, split_jws(text));
    return ear::parse(as_text(parts.payload));
  }
  const auto cwt = parse_cose_sign1(content, errc::ear_malformed);
  ATLS_TRY(const auto claims,
           cbor::decode(cwt ? bytes_view(cwt->payload) : content, errc::ear_malformed));
  return ear::from_cbor(claims);
}

result<json> describe_document(bytes_view content) {
  if (content.empty()) {
    return failure(errc::evidence_malformed, "it is empty");
  }
  const auto text = without_last_newlines(as_text(content));
  if (text.starts_with('{') || text.starts_with('[')) {
    return describe_json(text);
  }
  if (text.starts_with("ey")) {
    return describe_token(text);
  }
  if (auto evidence = describe_evidence(content)) {
    return evidence;
  }
  if (const auto unsigned_corim = parse_corim(content)) {
    return describe_corim(*unsigned_corim);
  }
  if (const auto signed_one = parse_unverified_signed_corim(content)) {
    ATLS_TRY(auto out, describe_corim(signed_one->content));
    out["signature"] = {{"algorithm", signed_one->algorithm}, {"kid", to_hex(signed_one->kid)}};
    return out;
  }
  if (const auto result = parse_unverified_result(content)) {
    return describe_claims(*result);
  }
  if (const auto wrapped = parse_cmw(content)) {
    return describe_cmw(*wrapped);
  }
  return failure(errc::evidence_malformed,
                 "neither PARSEC_TPM Evidence, CMW, CoRIM, Attestation Result (JWT, JSON or CBOR "
                 "claims) nor a Verifier's session");
}

bytes unwrap_evidence(bytes_view content) {
  auto record = parse_cmw_record(content);
  return record ? std::move(record->value) : to_bytes(content);
}

}  // namespace atls
