#include "schemes/parsec_tpm/parsec_tpm_scheme.hpp"

#include "schemes/parsec_tpm/facts.hpp"
#include "schemes/parsec_tpm/pcr_findings.hpp"

namespace atls {
namespace {

std::string hex_number(std::uint64_t value) {
  bytes raw;
  append_number(raw, value, 4);
  return "0x" + to_hex(raw);
}

result<void> check_nonce(bytes_view extra_data, bytes_view binder, errc mismatch) {
  if (!equal(extra_data, binder)) {
    return failure(mismatch, "extraData " + to_hex(extra_data) + ", expected " + to_hex(binder));
  }
  return {};
}

result<void> check_key_statement(const tpm_attest& statement, bytes_view public_area,
                                 bytes_view leaf_spki) {
  if (statement.magic != tpm_attest::generated_by_tpm) {
    return failure(errc::kat_magic, "found " + hex_number(statement.magic));
  }
  const auto* certified = std::get_if<tpm_attest::certify>(&statement.attested);
  if (certified == nullptr) {
    return failure(errc::kat_type, "found " + hex_number(statement.type));
  }
  ATLS_TRY(const auto key, parse_tpm_public(public_area, errc::kat_key_unsupported));

  ATLS_TRY(const bytes name,
           name_of_public(public_area, key.name_algorithm, errc::kat_key_unsupported));
  if (certified->name != name) {
    return failure(errc::kat_name_mismatch,
                   "certified " + to_hex(certified->name) + ", computed " + to_hex(name));
  }
  if (!equal(key.spki, leaf_spki)) {
    return failure(errc::kat_key_mismatch);
  }
  constexpr auto wanted = tpm_attribute::fixed_tpm | tpm_attribute::fixed_parent |
                          tpm_attribute::sensitive_data_origin | tpm_attribute::sign;
  constexpr auto unwanted = tpm_attribute::decrypt;
  if ((key.attributes & wanted) != wanted || (key.attributes & unwanted) != 0) {
    return failure(errc::kat_key_attributes, "found " + hex_number(key.attributes) +
                                                 ", expected fixedTPM, fixedParent, "
                                                 "sensitiveDataOrigin and sign, not "
                                                 "decrypt");
  }
  return {};
}

result<void> check_pcrs(const pcr_selection& quoted, const pcr_selection& required) {
  if (quoted.bank != required.bank) {
    return failure(errc::pat_bank,
                   "found " + std::string(name_of(quoted.bank).value_or("an unknown bank")) +
                       ", expected " + std::string(name_of(required.bank).value_or("none")));
  }
  const auto needed = required.mask & ~resettable_pcrs;
  if ((quoted.mask & needed) != needed || needed == 0) {
    return failure(errc::pat_pcrs_missing, "found " + to_string(quoted) + ", required " +
                                               to_string({required.bank, needed}));
  }
  return {};
}

result<void> check_platform_statement(const tpm_attest& statement, const pcr_selection& required) {
  if (statement.magic != tpm_attest::generated_by_tpm) {
    return failure(errc::pat_magic, "found " + hex_number(statement.magic));
  }
  const auto* quote = std::get_if<tpm_attest::quote>(&statement.attested);
  if (quote == nullptr) {
    return failure(errc::pat_type, "found " + hex_number(statement.type));
  }
  if (quote->selections.size() != 1) {
    return failure(errc::pat_selection,
                   "found " + std::to_string(quote->selections.size()) + " selections");
  }
  return check_pcrs(quote->selections.front(), required);
}

// By one key of one TPM in one boot.
result<void> check_signer(const parsec_tpm_statements& statements) {
  const auto& [evidence, kat, pat] = statements;
  if (evidence.kat.kid != evidence.pat.kid) {
    return failure(errc::kid_mismatch,
                   to_hex(evidence.kat.kid) + " and " + to_hex(evidence.pat.kid));
  }
  if (kat.qualified_signer != pat.qualified_signer || kat.reset_count != pat.reset_count ||
      kat.restart_count != pat.restart_count || kat.firmware_version != pat.firmware_version) {
    return failure(errc::signer_mismatch);
  }
  return {};
}

}  // namespace

std::string_view parsec_tpm_scheme::media_type() const noexcept {
  return parsec_tpm_evidence::media_type;
}

result<statement> parsec_tpm_scheme::check(bytes_view evidence,
                                           const evidence_expectations& expected) const {
  // 1. Parse within bounds, nothing trailing.
  ATLS_TRY(const auto statements, parsec_tpm_statements::parse(evidence));
  const auto& [read, kat, pat] = statements;
  // 2. Both statements are for this handshake.
  ATLS_CHECK(check_nonce(kat.extra_data, expected.binder, errc::kat_nonce_mismatch));
  ATLS_CHECK(check_nonce(pat.extra_data, expected.binder, errc::pat_nonce_mismatch));
  // 3. The TLS key lives in a TPM and stays there.
  ATLS_CHECK(check_key_statement(kat, read.kat.public_area, expected.leaf_spki));
  // 4. The platform.
  ATLS_CHECK(check_platform_statement(pat, policy_.required_pcrs));
  ATLS_CHECK(check_signer(statements));
  ATLS_TRY(auto facts, facts_of(statements));
  return statement{std::string(media_type()), to_bytes(evidence), read.kat.kid, std::move(facts)};
}

result<void> parsec_tpm_scheme::recheck(const statement& of) const {
  return check_pcrs(quoted_pcrs(of.facts), policy_.required_pcrs);
}

result<json> parsec_tpm_scheme::read(bytes_view evidence) const {
  ATLS_TRY(const auto statements, parsec_tpm_statements::parse(evidence));
  return facts_of(statements);
}

result_shape parsec_tpm_scheme::shape() const {
  return {.submodules = {{parsec_tpm_evidence::scheme,
                          {trust_claim::executables, trust_claim::hardware}}},
          .names_key = true};
}

std::span<const fact> parsec_tpm_scheme::facts() const {
  return parsec_tpm_facts();
}

std::span<const std::pair<errc, appraisal_step>> parsec_tpm_scheme::reasons() const {
  using enum errc;
  using enum appraisal_step;
  static constexpr std::pair<errc, appraisal_step> all[] = {
      {kid_malformed, parse},
      {signature_unsupported, parse},
      {kat_nonce_mismatch, binder},
      {pat_nonce_mismatch, binder},
      {kat_magic, key},
      {kat_type, key},
      {kat_name_mismatch, key},
      {kat_key_unsupported, key},
      {kat_key_mismatch, key},
      {kat_key_attributes, key},
      {pat_magic, platform},
      {pat_type, platform},
      {pat_selection, platform},
      {pat_bank, platform},
      {pat_pcrs_missing, platform},
      {kid_mismatch, platform},
      {signer_mismatch, platform},
  };
  return all;
}

std::string parsec_tpm_scheme::findings(const statement& of) const {
  const auto digest = from_hex(of.facts.at("pcr_digest").get<std::string>()).value_or(bytes());
  return describe_pcrs(quoted_pcrs(of.facts), digest, of.instance, policy_.known);
}

}  // namespace atls
