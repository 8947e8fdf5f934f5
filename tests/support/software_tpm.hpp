// Evidence as a TPM would make it, made in software so that every field can be wrong.
#pragma once

#include "core/openssl.hpp"
#include "formats/tpm_structures.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

namespace atls::test {

pkey_ptr new_key(const char* curve = "P-256");
bytes spki(const pkey_ptr& key);

/// What goes into TPMS_ATTEST; the defaults are those of good Evidence.
struct attest_fields {
  std::uint32_t magic = tpm_attest::generated_by_tpm;
  std::uint16_t type = 0;
  bytes qualified_signer;
  bytes extra_data;
  std::uint32_t reset_count = 7;
  std::uint32_t restart_count = 3;
  std::uint64_t firmware_version = 0x20191023;
  /// certify
  bytes name;
  /// quote
  std::vector<pcr_selection> selections;
  bytes pcr_digest;
  bytes trailing;
};
bytes encode(const attest_fields& fields);

/// TPMT_PUBLIC of a P-256 key.
bytes encode_public(const pkey_ptr& key, std::uint32_t attributes);

/// TPMT_SIGNATURE, ECDSA with SHA-256.
bytes sign(const pkey_ptr& key, bytes_view message);

/// Everything of one piece of Evidence before it is signed and encoded.
struct evidence_maker {
  evidence_maker();

  pkey_ptr ak = new_key();
  pkey_ptr kat_signer;  // null: ak
  pkey_ptr pat_signer;  // null: ak
  pkey_ptr tik = new_key();
  bytes binder = bytes(32, 0x5a);
  pcr_selection pcrs{tpm_hash::sha256, 0xff};
  std::vector<bytes> pcr_values = std::vector<bytes>(8, bytes(32, 0));
  std::uint32_t attributes = 0x00040432;  // as tpm::device makes the TIK
  attest_fields kat;
  attest_fields pat;
  bytes kat_kid;
  bytes pat_kid;

  /// After changes to keys, binder, pcrs or attributes: fills in what follows from them.
  void derive();
  parsec_tpm_evidence make() const;
  /// In its CMW.
  bytes make_cmw() const;
};

/// What a Verifier has to know to affirm this machine.
parsec_tpm_endorsements endorsements_of(const evidence_maker& machine);

}  // namespace atls::test
