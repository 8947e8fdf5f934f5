#include "appraisal/policy/facts.hpp"

#include "appraisal/policy/fact_table.hpp"
#include "core/openssl.hpp"
#include "core/text.hpp"
#include "formats/tpm_structures.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

#include <algorithm>

namespace atls {
namespace {

json names_of(std::uint32_t attributes) {
  json out = json::array();
  for (const auto& [bit, name] : attribute_names) {
    if ((attributes & bit) != 0) {
      out.push_back(name);
    }
  }
  return out;
}

json pcr_numbers(const pcr_selection& selection) {
  json out = json::array();
  for (unsigned pcr = 0; pcr < 24; ++pcr) {
    if (selection.contains(pcr)) {
      out.push_back(pcr);
    }
  }
  return out;
}

}  // namespace

result<json> evidence_facts(bytes_view evidence) {
  ATLS_TRY(const auto statements, parsec_tpm_evidence::decode(evidence));
  ATLS_TRY(const auto kat, parse_tpm_attest(statements.kat.cert_info));
  ATLS_TRY(const auto pat, parse_tpm_attest(statements.pat.attest_info));
  ATLS_TRY(const auto key, parse_tpm_public(statements.kat.public_area));
  const auto* quote = std::get_if<tpm_attest::quote>(&pat.attested);
  if (quote == nullptr) {
    return failure(errc::pat_type);
  }
  if (quote->selections.size() != 1) {
    return failure(errc::pat_selection);
  }
  const auto& pcrs = quote->selections.front();
  const auto* const curve = key.spki.size() < 100 ? "P-256" : "P-384";
  return json{{"type", parsec_tpm_evidence::media_type},
              {"kid", to_hex(statements.kat.kid)},
              {"binder", to_hex(kat.extra_data)},
              {"bank", name_of(pcrs.bank).value_or("unknown")},
              {"pcrs", pcr_numbers(pcrs)},
              {"pcr_digest", to_hex(quote->pcr_digest)},
              {"firmware_version", pat.firmware_version},
              {"clock_ms", pat.clock_ms},
              {"reset_count", pat.reset_count},
              {"restart_count", pat.restart_count},
              {"key",
               {{"curve", curve},
                {"attributes", names_of(key.attributes)},
                {"auth_policy", to_hex(key.auth_policy)},
                {"spki_sha256", to_hex(digest("sha256", key.spki))}}}};
}

result<json> ear_facts(const ear& claims, std::chrono::system_clock::time_point now) {
  if (claims.submodules.size() != 1) {
    return failure(errc::ear_submodule,
                   "found " + std::to_string(claims.submodules.size()) + ", expected one");
  }
  const auto& [name, appraisal] = *claims.submodules.begin();
  json vector;
  for (std::size_t i = 0; i < trust_claims.size(); ++i) {
    vector[std::string(trust_claims[i])] = appraisal.vector[i];
  }
  // A Verifier whose clock is a little ahead has made it just now.
  const auto age = std::chrono::system_clock::to_time_t(now) - claims.issued_at;
  return json{{"profile", claims.profile},   {"developer", claims.developer},
              {"build", claims.build},       {"age_s", std::max<std::int64_t>(age, 0)},
              {"submodule", name},           {"status", to_string(appraisal.status)},
              {"vector", std::move(vector)}, {"policy_ids", appraisal.policy_ids}};
}

json appraisal_facts(json evidence, json ear, const std::string& pki_name) {
  return {
      {"evidence", std::move(evidence)}, {"ear", std::move(ear)}, {"pki", {{"name", pki_name}}}};
}

const json& value_of(const json& facts, std::string_view name) {
  const json* at = &facts;
  for (const auto part : split(name, '.')) {
    at = &at->at(std::string(part));
  }
  return *at;
}

}  // namespace atls
