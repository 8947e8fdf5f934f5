// The facts of PARSEC_TPM Evidence.
#pragma once

#include "formats/tpm_structures.hpp"
#include "schemes/fact.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

#include <span>

namespace atls {

/// The two statements of PARSEC_TPM Evidence and the key that one of them is about, parsed.
struct parsec_tpm_statements {
  parsec_tpm_evidence evidence;
  tpm_attest kat;
  tpm_attest pat;

  /// evidence_malformed, kid_malformed, signature_unsupported.
  static result<parsec_tpm_statements> parse(bytes_view evidence);
};

/// {"type", "kid", "binder", "bank", "pcrs": [n], "pcr_digest", "firmware_version", "clock_ms",
///  "reset_count", "restart_count", "key": {"resident", "curve", "attributes": ["fixedTPM", ...],
///  "auth_policy", "spki_sha256"}}; byte strings in hexadecimal. pat_type, pat_selection,
/// kat_key_unsupported.
result<json> facts_of(const parsec_tpm_statements& statements);

/// What each of them is (without "type").
std::span<const fact> parsec_tpm_facts();

/// The quoted PCRs in such facts.
pcr_selection quoted_pcrs(const json& facts);

}  // namespace atls
