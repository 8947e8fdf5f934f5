#include "schemes/parsec_tpm/evidence_check.hpp"

#include "core/openssl.hpp"
#include "formats/cmw.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

#include <algorithm>

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
  ATLS_TRY(const auto key, parse_tpm_public(public_area));

  // Name = nameAlg || H(publicArea) (TPM 2.0 Part 1 section 16).
  const auto hash_name = name_of(key.name_algorithm);
  if (!hash_name) {
    return failure(errc::kat_key_unsupported, "its name is not made with SHA-256, -384 or -512");
  }
  bytes name;
  append_number(name, static_cast<std::uint16_t>(key.name_algorithm), 2);
  append(name, digest(std::string(*hash_name).c_str(), public_area));
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

result<pcr_selection> check_platform_statement(const tpm_attest& statement,
                                               const pcr_selection& required) {
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
  const auto& found = quote->selections.front();
  ATLS_CHECK(check_pcrs(found, required));
  return found;
}

}  // namespace

result<void> check_kid(const bytes& kid, const std::vector<bytes>& allowed) {
  if (!allowed.empty() && std::ranges::find(allowed, kid) == allowed.end()) {
    return failure(errc::kid_not_allowed, "found " + to_hex(kid));
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

result<checked_evidence> check_evidence(bytes_view cmw, const evidence_expectations& expected) {
  // 1. Parse within bounds, nothing trailing.
  ATLS_TRY(auto record, parse_cmw_record(cmw));
  const auto* media_type = std::get_if<std::string>(&record.type);
  if (media_type == nullptr || *media_type != expected.media_type ||
      *media_type != parsec_tpm_evidence::media_type) {
    return failure(errc::evidence_type_unexpected,
                   "found " + (media_type != nullptr ? *media_type : "a content-format") +
                       ", negotiated " + std::string(expected.media_type));
  }
  constexpr std::uint32_t evidence_bit = 4;
  if (record.indicator != 0 && record.indicator != evidence_bit) {
    return failure(errc::cmw_malformed, "its indicator does not say Evidence");
  }
  ATLS_TRY(const auto evidence, parsec_tpm_evidence::decode(record.value));
  ATLS_TRY(const auto kat, parse_tpm_attest(evidence.kat.cert_info));
  ATLS_TRY(const auto pat, parse_tpm_attest(evidence.pat.attest_info));
  ATLS_CHECK(parse_tpm_signature(evidence.kat.signature));
  ATLS_CHECK(parse_tpm_signature(evidence.pat.signature));

  // 2. Both statements are for this handshake.
  ATLS_CHECK(check_nonce(kat.extra_data, expected.binder, errc::kat_nonce_mismatch));
  ATLS_CHECK(check_nonce(pat.extra_data, expected.binder, errc::pat_nonce_mismatch));

  // 3. The TLS key lives in a TPM and stays there.
  ATLS_CHECK(check_key_statement(kat, evidence.kat.public_area, expected.leaf_spki));

  // 4. The platform, by the same key of the same TPM in the same boot.
  ATLS_TRY(const auto pcrs, check_platform_statement(pat, expected.required_pcrs));
  if (evidence.kat.kid != evidence.pat.kid) {
    return failure(errc::kid_mismatch,
                   to_hex(evidence.kat.kid) + " and " + to_hex(evidence.pat.kid));
  }
  if (kat.qualified_signer != pat.qualified_signer || kat.reset_count != pat.reset_count ||
      kat.restart_count != pat.restart_count || kat.firmware_version != pat.firmware_version) {
    return failure(errc::signer_mismatch);
  }
  ATLS_CHECK(check_kid(evidence.kat.kid, expected.allowed_kids));

  checked_evidence out;
  out.media_type = *media_type;
  out.evidence = std::move(record.value);
  out.kid = evidence.kat.kid;
  out.pcrs = pcrs;
  out.pcr_digest = std::get<tpm_attest::quote>(pat.attested).pcr_digest;
  out.firmware_version = pat.firmware_version;
  return out;
}

}  // namespace atls
