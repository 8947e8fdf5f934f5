#include "reference_verifier/parsec_tpm_appraisal.hpp"

#include "core/openssl.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/parsec_tpm/signatures.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::string_view scheme = parsec_tpm_evidence::scheme;

ear_appraisal unauthentic(std::string problem) {
  return verdict::unauthentic(scheme, std::move(problem));
}

ear_appraisal refused(std::string problem) {
  return verdict::refused(scheme, trust_claim::executables, verdict::contraindicated,
                          std::move(problem));
}

bool matches(const parsec_tpm_endorsements::reference_values& reference,
             const pcr_selection& quoted, bytes_view quoted_digest) {
  std::vector<bytes> values;
  for (unsigned pcr = 0; pcr < 32; ++pcr) {
    if (quoted.contains(pcr)) {
      const auto value = reference.digests.find({pcr, quoted.bank});
      if (value == reference.digests.end()) {
        return false;
      }
      values.push_back(value->second);
    }
  }
  return equal(pcr_digest(quoted.bank, values), quoted_digest);
}

// The parsed Evidence; fails as Veraison does when identity cannot be established.
struct parsed_evidence {
  parsec_tpm_evidence evidence;
  ecdsa_signature pat_signature;
  tpm_attest kat;
  tpm_attest pat;
  ecc_public key;
};

result<parsed_evidence> parse(bytes_view input) {
  parsed_evidence out;
  ATLS_TRY(out.evidence, parsec_tpm_evidence::decode(input));
  ATLS_CHECK(parse_tpm_signature(out.evidence.kat.signature));
  ATLS_TRY(out.pat_signature, parse_tpm_signature(out.evidence.pat.signature));
  ATLS_TRY(out.kat, parse_tpm_attest(out.evidence.kat.cert_info));
  ATLS_TRY(out.pat, parse_tpm_attest(out.evidence.pat.attest_info));
  ATLS_TRY(out.key, parse_tpm_public(out.evidence.kat.public_area));
  return out;
}

// What the structures must say whoever signed them; the empty string if they do.
std::string structural_problem(const parsed_evidence& p) {
  const auto* certified = std::get_if<tpm_attest::certify>(&p.kat.attested);
  const auto* quote = std::get_if<tpm_attest::quote>(&p.pat.attested);
  if (p.evidence.kat.kid != p.evidence.pat.kid) {
    return "kid mismatch";
  }
  if (p.kat.magic != tpm_attest::generated_by_tpm || p.pat.magic != tpm_attest::generated_by_tpm ||
      certified == nullptr || quote == nullptr || quote->selections.size() != 1) {
    return "not a certify and a quote of one selection by a TPM";
  }
  if (p.pat_signature.hash != quote->selections.front().bank ||
      !name_of(quote->selections.front().bank)) {
    return "the quote's bank is not of its signature's hash";
  }
  constexpr auto wanted = tpm_attribute::fixed_tpm | tpm_attribute::sensitive_data_origin;
  const auto name =
      name_of_public(p.evidence.kat.public_area, p.key.name_algorithm, errc::evidence_malformed);
  if ((p.key.attributes & wanted) != wanted || !name) {
    return "the key's attributes or name algorithm";
  }
  return certified->name == *name ? "" : "name mismatch";
}

using known_values = std::vector<const parsec_tpm_endorsements::reference_values*>;

ear_appraisal appraise_by(bytes_view ak_spki, const parsed_evidence& parsed,
                          bytes_view session_nonce, const known_values& references,
                          const pcr_selection& required_pcrs) {
  const auto ak = key_from_spki(ak_spki);
  if (!ak || !are_signed_by(parsed.evidence, ak->get())) {
    return unauthentic("integrity validation failed: bad evidence: signature");
  }
  if (!equal(parsed.kat.extra_data, session_nonce) ||
      !equal(parsed.pat.extra_data, session_nonce)) {
    return unauthentic("freshness: the nonces in the evidence are not the session's");
  }

  const auto& quote = std::get<tpm_attest::quote>(parsed.pat.attested);
  const auto& quoted = quote.selections.front();
  if (quoted.bank != required_pcrs.bank ||
      (quoted.mask & required_pcrs.mask) != required_pcrs.mask) {
    return refused("the quote covers " + to_string(quoted) + ", required are " +
                   to_string(required_pcrs));
  }
  if (std::ranges::none_of(references, [&](const auto* reference) {
        return matches(*reference, quoted, quote.pcr_digest);
      })) {
    return refused("the PCRs match no reference values");
  }

  using namespace trust_claim;
  auto out = verdict::affirming(scheme, {instance_identity, executables, hardware});
  out.attested_key = parsed.key.spki;
  out.annotated_evidence = parsed.evidence.to_json();
  return out;
}

// Whose structures are as they must be, whoever signed them.
result<parsed_evidence> parse_well_formed(bytes_view input) {
  auto parsed = parse(input);
  const auto problem = parsed ? structural_problem(*parsed) : parsed.error().detail;
  if (!problem.empty() || !parsed) {
    return failure(errc::evidence_malformed,
                   "could not establish identity from evidence: " + problem);
  }
  return parsed;
}

}  // namespace

ear_appraisal appraise_parsec_tpm(bytes_view input, bytes_view session_nonce,
                                  const endorsement_store& endorsements,
                                  const pcr_selection& required_pcrs) {
  const auto parsed = parse_well_formed(input);
  if (!parsed) {
    return unauthentic(parsed.error().detail);
  }
  const auto anchors = endorsements.anchors(parsed->evidence.kat.kid);
  if (anchors.empty()) {
    return unauthentic("no trust anchor for evidence");
  }
  if (anchors.size() > 1) {
    return unauthentic("several trust anchors for one kid");
  }
  const auto& anchor = *anchors.front();
  return appraise_by(anchor.ak_spki, *parsed, session_nonce,
                     endorsements.references(anchor.class_id), required_pcrs);
}

ear_appraisal appraise_parsec_tpm_by(bytes_view ak_spki, bytes_view input, bytes_view session_nonce,
                                     const endorsement_store& endorsements,
                                     const pcr_selection& required_pcrs) {
  const auto parsed = parse_well_formed(input);
  return parsed ? appraise_by(ak_spki, *parsed, session_nonce, endorsements.references(),
                              required_pcrs)
                : unauthentic(parsed.error().detail);
}

std::string_view parsec_tpm_appraiser::media_type() const noexcept {
  return parsec_tpm_evidence::media_type;
}

verdicts parsec_tpm_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  return {{scheme, appraise_parsec_tpm(evidence, session_nonce, endorsements(), required_pcrs_)}};
}

}  // namespace atls
