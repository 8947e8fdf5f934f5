#include "schemes/parsec_tpm/facts.hpp"

#include "core/openssl.hpp"
#include "schemes/shared_facts.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace atls {
namespace {

constexpr std::string_view tpm_signed = "Signed by the peer's TPM";
// To what a key of another hierarchy signs the TPM adds a secret number, for the sake of privacy.
constexpr std::string_view obfuscated =
    "Signed by the peer's TPM; with an attestation key outside the endorsement hierarchy (an "
    "identity of version 1) it is a random number, and the Evidence does not show which";
constexpr std::string_view obfuscated_count =
    "As evidence.firmware_version; clearing the TPM sets it to 0";
constexpr auto any_number_64 = whole_number{0, std::numeric_limits<std::uint64_t>::max()};
constexpr auto any_number_32 = whole_number{0, std::numeric_limits<std::uint32_t>::max()};

const hexadecimal any_digest{{32, 48, 64}};

std::vector<std::string_view> names_of_attributes() {
  std::vector<std::string_view> out;
  for (const auto& [bit, name] : attribute_names) {
    out.push_back(name);
  }
  return out;
}

std::vector<fact> platform_facts() {
  return {
      {.name = "evidence.kid",
       .type = hexadecimal{{17, 25, 33}, "01"},
       .meaning = "The peer's attestation key: its UEID, as atls provision prints it",
       .worth = "The Verifier knows the key by it"},
      {.name = "evidence.binder",
       .type = fresh_value{},
       .meaning = "What binds the Evidence to this handshake",
       .worth = "Always checked"},
      {.name = "evidence.bank",
       .type = one_of{{"sha256", "sha384", "sha512"}},
       .meaning = "The bank of the quoted PCRs",
       .worth = "Signed by the peer's TPM; always that of policy.pcrs"},
      {.name = "evidence.pcrs",
       .type = whole_number{0, 23},
       .meaning = "The quoted PCRs, a list",
       .worth =
           "Signed by the peer's TPM; at least those of policy.pcrs, more at the peer's choice",
       .is_list = true},
      {.name = "evidence.pcr_digest",
       .type = any_digest,
       .meaning = "The digest over the quoted PCRs",
       .worth = "Signed by the peer's TPM; one PCR or one measurement more gives another",
       .is_evasive = true},
      {.name = "evidence.pcr_values",
       .type = pcr_values{},
       .meaning = "The quote is over exactly these PCRs with these values",
       .worth = "Compared with the digest; one PCR or one measurement more gives another",
       .is_evasive = true},
      {.name = "evidence.firmware_version",
       .type = any_number_64,
       .meaning = "Firmware of the TPM, as its manufacturer counts",
       .worth = obfuscated,
       .is_evasive = true},
      {.name = "evidence.clock_ms",
       .type = any_number_64,
       .meaning =
           "Milliseconds that the TPM has been powered since it was cleared (not: since boot)",
       .worth = "Signed by the peer's TPM, whose owner can set it forward, never back",
       .is_evasive = true},
      {.name = "evidence.reset_count",
       .type = any_number_32,
       .meaning = "Boots since the TPM was cleared",
       .worth = obfuscated_count,
       .is_evasive = true},
      {.name = "evidence.restart_count",
       .type = any_number_32,
       .meaning = "Resumes since the boot",
       .worth = obfuscated_count,
       .is_evasive = true},
  };
}

std::vector<fact> key_facts() {
  return {
      key_resident_fact(),
      {.name = "evidence.key.curve",
       .type = one_of{{"P-256", "P-384"}},
       .meaning = "The curve of the TLS key",
       .worth = tpm_signed},
      {.name = "evidence.key.attributes",
       .type = one_of{names_of_attributes()},
       .meaning = "TPM attributes of the TLS key, a list",
       .worth =
           "Signed by the peer's TPM; fixedTPM, fixedParent, sensitiveDataOrigin and sign, and "
           "not decrypt, are always checked",
       .is_list = true},
      {.name = "evidence.key.auth_policy",
       .type = hexadecimal{{0, 32, 48, 64}},
       .meaning = "Digest of the policy under which the TPM lets the TLS key sign; empty if there "
                  "is none",
       .worth = "Signed by the peer's TPM, which vouches for the policy and not for the secrecy of "
                "an authorisation; any other policy gives another",
       .is_evasive = true},
      {.name = "evidence.key.spki_sha256",
       .type = hexadecimal{{32}},
       .meaning = "SHA-256 of the TLS key's SubjectPublicKeyInfo",
       .worth = "Signed by the peer's TPM; the peer can make another key at any time",
       .is_evasive = true},
  };
}

json set_attributes(std::uint32_t attributes) {
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

result<parsec_tpm_statements> parsec_tpm_statements::parse(bytes_view evidence) {
  parsec_tpm_statements out;
  ATLS_TRY(out.evidence, parsec_tpm_evidence::decode(evidence));
  ATLS_TRY(out.kat, parse_tpm_attest(out.evidence.kat.cert_info));
  ATLS_TRY(out.pat, parse_tpm_attest(out.evidence.pat.attest_info));
  ATLS_CHECK(parse_tpm_signature(out.evidence.kat.signature, errc::signature_unsupported));
  ATLS_CHECK(parse_tpm_signature(out.evidence.pat.signature, errc::signature_unsupported));
  return out;
}

result<json> facts_of(const parsec_tpm_statements& statements) {
  const auto& [evidence, kat, pat] = statements;
  ATLS_TRY(const auto key, parse_tpm_public(evidence.kat.public_area, errc::kat_key_unsupported));
  const auto* quote = std::get_if<tpm_attest::quote>(&pat.attested);
  if (quote == nullptr) {
    return failure(errc::pat_type);
  }
  if (quote->selections.size() != 1) {
    return failure(errc::pat_selection);
  }
  const auto& pcrs = quote->selections.front();
  return json{{"type", parsec_tpm_evidence::media_type},
              {"kid", to_hex(evidence.kat.kid)},
              {"binder", to_hex(kat.extra_data)},
              {"bank", name_of(pcrs.bank).value_or("unknown")},
              {"pcrs", pcr_numbers(pcrs)},
              {"pcr_digest", to_hex(quote->pcr_digest)},
              {"firmware_version", pat.firmware_version},
              {"clock_ms", pat.clock_ms},
              {"reset_count", pat.reset_count},
              {"restart_count", pat.restart_count},
              {"key",
               {{"resident", "tpm"},
                {"curve", key.curve},
                {"attributes", set_attributes(key.attributes)},
                {"auth_policy", to_hex(key.auth_policy)},
                {"spki_sha256", to_hex(digest("sha256", key.spki))}}}};
}

std::span<const fact> parsec_tpm_facts() {
  static const std::vector<fact> all = [] {
    auto out = platform_facts();
    std::ranges::move(key_facts(), std::back_inserter(out));
    return out;
  }();
  return all;
}

pcr_selection quoted_pcrs(const json& facts) {
  pcr_selection out{hash_from_name(facts.at("bank").get<std::string>()).value_or(tpm_hash::sha1),
                    0};
  for (const auto& pcr : facts.at("pcrs")) {
    out.mask |= 1u << pcr.get<unsigned>();
  }
  return out;
}

}  // namespace atls
