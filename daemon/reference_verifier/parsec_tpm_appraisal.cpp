#include "reference_verifier/parsec_tpm_appraisal.hpp"

#include "core/openssl.hpp"
#include "reference_verifier/verdicts.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

namespace atls {
namespace {

// For OpenSSL; of hashes that name_of() knows.
const char* hash_name(tpm_hash hash) {
  return name_of(hash).value().data();
}

constexpr std::string_view scheme = parsec_tpm_evidence::scheme;

ear_appraisal unauthentic(std::string problem) {
  return verdict::unauthentic(scheme, std::move(problem));
}

ear_appraisal refused(std::string problem) {
  return verdict::refused(scheme, trust_claim::executables, verdict::contraindicated,
                          std::move(problem));
}

bool verifies(EVP_PKEY* key, const ecdsa_signature& signature, bytes_view message) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  const bytes der = signature.der();
  const bool ok =
      EVP_DigestVerifyInit_ex(context.get(), nullptr, hash_name(signature.hash), nullptr, nullptr,
                              key, nullptr) == 1 &&
      EVP_DigestVerify(context.get(), der.data(), der.size(), message.data(), message.size()) == 1;
  (void)openssl_errors();
  return ok;
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
  ecdsa_signature kat_signature;
  ecdsa_signature pat_signature;
  tpm_attest kat;
  tpm_attest pat;
  ecc_public key;
};

result<parsed_evidence> parse(bytes_view input) {
  parsed_evidence out;
  ATLS_TRY(out.evidence, parsec_tpm_evidence::decode(input));
  ATLS_TRY(out.kat_signature, parse_tpm_signature(out.evidence.kat.signature));
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

}  // namespace

ear_appraisal appraise_parsec_tpm(bytes_view input, bytes_view session_nonce,
                                  const endorsement_store& endorsements,
                                  const pcr_selection& required_pcrs) {
  const auto parsed = parse(input);
  const std::string problem = parsed ? structural_problem(*parsed) : parsed.error().detail;
  if (!problem.empty() || !parsed) {
    return unauthentic("could not establish identity from evidence: " + problem);
  }
  const auto anchors = endorsements.anchors(parsed->evidence.kat.kid);
  if (anchors.empty()) {
    return unauthentic("no trust anchor for evidence");
  }
  if (anchors.size() > 1) {
    return unauthentic("several trust anchors for one kid");
  }
  const auto ak = key_from_spki(anchors.front()->ak_spki);
  if (!ak || !verifies(ak->get(), parsed->kat_signature, parsed->evidence.kat.cert_info) ||
      !verifies(ak->get(), parsed->pat_signature, parsed->evidence.pat.attest_info)) {
    return unauthentic("integrity validation failed: bad evidence: signature");
  }
  if (!equal(parsed->kat.extra_data, session_nonce) ||
      !equal(parsed->pat.extra_data, session_nonce)) {
    return unauthentic("freshness: the nonces in the evidence are not the session's");
  }

  const auto& quote = std::get<tpm_attest::quote>(parsed->pat.attested);
  const auto& quoted = quote.selections.front();
  if (quoted.bank != required_pcrs.bank ||
      (quoted.mask & required_pcrs.mask) != required_pcrs.mask) {
    return refused("the quote covers " + to_string(quoted) + ", required are " +
                   to_string(required_pcrs));
  }
  bool matched = false;
  for (const auto* reference : endorsements.references(anchors.front()->class_id)) {
    matched = matched || matches(*reference, quoted, quote.pcr_digest);
  }
  if (!matched) {
    return refused("the PCRs match no reference values");
  }

  using namespace trust_claim;
  auto out = verdict::affirming(scheme, {instance_identity, executables, hardware});
  out.attested_key = parsed->key.spki;
  out.annotated_evidence = parsed->evidence.to_json();
  return out;
}

std::string_view parsec_tpm_appraiser::media_type() const noexcept {
  return parsec_tpm_evidence::media_type;
}

verdicts parsec_tpm_appraiser::appraise(bytes_view evidence, bytes_view session_nonce) const {
  return {{scheme, appraise_parsec_tpm(evidence, session_nonce, *endorsements_, required_pcrs_)}};
}

}  // namespace atls
