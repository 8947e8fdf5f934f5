#include "atls/documents.hpp"

#include "appraisal/policy/facts.hpp"
#include "core/certificates.hpp"
#include "core/text.hpp"
#include "dialects/veraison/challenge_response.hpp"
#include "formats/cmw.hpp"
#include "formats/ear_token.hpp"
#include "schemes/certificate_evidence.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"
#include "schemes/table.hpp"

namespace atls {
namespace {

std::string_view without_last_newlines(std::string_view text) {
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return text;
}

json describe_claims(const ear& claims) {
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
      ATLS_TRY(out["result"], describe_result(as_bytes(session->result)));
    }
    return out;
  }
  if (const auto claims = ear::from_json(document)) {
    return describe_claims(*claims);
  }
  ATLS_TRY(const auto wrapped, parse_cmw(as_bytes(text)));
  return describe_cmw(wrapped);
}

result<json> describe_wrapped(bytes_view content) {
  ATLS_TRY(const auto wrapped, parse_cmw(content));
  return describe_cmw(wrapped);
}

result<json> describe_signed_corim(bytes_view content) {
  ATLS_TRY(const auto found, parse_unverified_signed_corim(content));
  ATLS_TRY(auto out, describe_corim(found.content));
  out["signature"] = {{"algorithm", found.algorithm}, {"kid", to_hex(found.kid)}};
  return out;
}

// Evidence without its CMW: its type is told by its form.
result<json> describe_bare_evidence(bytes_view evidence) {
  for (const auto& scheme : known_schemes()) {
    if (auto facts = scheme->read(evidence)) {
      return facts;
    }
  }
  return failure(errc::evidence_malformed, "no Evidence of a known type");
}

}  // namespace

result<json> describe_result(bytes_view content) {
  ATLS_TRY(const auto read, read_unverified_ear(content));
  auto out = describe_claims(read.claims);
  if (!read.header.is_null()) {
    out["header"] = read.header;
  }
  return out;
}

result<json> describe_evidence(bytes_view content) {
  const auto record = parse_cmw_record(content);
  if (!record) {
    return describe_bare_evidence(content);
  }
  const auto* media_type = std::get_if<std::string>(&record->type);
  const auto scheme = media_type != nullptr ? find_scheme(known_schemes(), *media_type) : nullptr;
  if (!scheme) {
    return failure(errc::evidence_type_unexpected,
                   media_type != nullptr ? *media_type : "a content-format");
  }
  return scheme->read(record->value);
}

result<json> describe_certificate(bytes_view content) {
  auto certificates = certificates_from_pem(as_text(content));
  if (certificates.empty()) {
    certificates.push_back(certificate_from_der(content));
  }
  const auto& certificate = certificates.front();
  if (!certificate) {
    return failure(errc::certificate_invalid, openssl_errors());
  }
  ATLS_TRY(const auto spki, spki_of(certificate.get()));
  ATLS_TRY(const auto carried, read_certificate_evidence(der_of(certificate.get()), spki));
  ATLS_TRY(auto out, find_scheme(known_schemes(), carried.media_type)->read(carried.evidence));
  out["kind"] = "Evidence in a certificate";
  return out;
}

result<json> describe_document(bytes_view content) {
  if (content.empty()) {
    return failure(errc::evidence_malformed, "it is empty");
  }
  if (auto facts = describe_bare_evidence(content)) {
    const auto type = (*facts)["type"].get<std::string>();
    const auto shape = find_scheme(known_schemes(), type)->shape();
    (*facts)["kind"] = shape.submodules.empty()
                           ? "Evidence"
                           : std::string(shape.submodules.front().name) + " Evidence";
    return facts;
  }
  const auto text = without_last_newlines(as_text(content));
  if (text.starts_with('{') || text.starts_with('[')) {
    return describe_json(text);
  }
  if (text.starts_with("ey")) {
    return describe_result(content);
  }
  if (const auto unsigned_corim = parse_corim(content)) {
    return describe_corim(*unsigned_corim);
  }
  for (const auto describe :
       {describe_signed_corim, describe_result, describe_wrapped, describe_certificate}) {
    if (auto out = describe(content)) {
      return out;
    }
  }
  return failure(errc::evidence_malformed,
                 "neither Evidence of a known type, CMW, CoRIM, Attestation Result (JWT, CWT, JSON "
                 "or CBOR claims), a Verifier's session nor a certificate that carries Evidence");
}

}  // namespace atls
