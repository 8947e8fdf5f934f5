#include "verifier/facts.hpp"

#include "core/openssl.hpp"
#include "evidence/parsec_tpm.hpp"
#include "evidence/tpm_structures.hpp"

namespace atls {
namespace {

// TPMA_OBJECT (TPM 2.0 Part 2 section 8.3).
json attribute_names(std::uint32_t attributes) {
  constexpr std::pair<std::uint32_t, const char*> names[] = {
      {0x00000002, "fixedTPM"},     {0x00000004, "stClear"},
      {0x00000010, "fixedParent"},  {0x00000020, "sensitiveDataOrigin"},
      {0x00000040, "userWithAuth"}, {0x00000080, "adminWithPolicy"},
      {0x00000400, "noDA"},         {0x00000800, "encryptedDuplication"},
      {0x00010000, "restricted"},   {0x00020000, "decrypt"},
      {0x00040000, "sign"},
  };
  json out = json::array();
  for (const auto& [bit, name] : names) {
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
                {"attributes", attribute_names(key.attributes)},
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
  return json{{"profile", claims.profile},
              {"developer", claims.developer},
              {"build", claims.build},
              {"age_s", std::chrono::system_clock::to_time_t(now) - claims.issued_at},
              {"submodule", name},
              {"status", to_string(appraisal.status)},
              {"vector", std::move(vector)},
              {"policy_ids", appraisal.policy_ids}};
}

json appraisal_facts(json evidence, json ear, const std::string& pki_name) {
  return {
      {"evidence", std::move(evidence)}, {"ear", std::move(ear)}, {"pki", {{"name", pki_name}}}};
}

}  // namespace atls
