// The certificates of SEV-SNP's signing keys (AMD 57230): VCEK, of a chip and its firmware, and
// VLEK, of a cloud provider and its firmware.
#pragma once

#include "core/openssl.hpp"
#include "schemes/sev_snp/report.hpp"

namespace atls {

/// What an endorsement key's certificate says of the machine. Who issued it is checked elsewhere.
struct snp_endorsement_key {
  snp_signing_key kind = snp_signing_key::vcek;
  snp_product product = snp_product::unknown;
  snp_tcb tcb;
  /// VCEK: the chip, as in its reports (64 bytes; 8 since Turin).
  bytes hardware_id;
  pkey_ptr key;
};

/// evidence_malformed if it is no VCEK or VLEK: names, extensions or key are others.
result<snp_endorsement_key> read_endorsement_key(const X509* certificate);

/// The report is signed by this key and about its chip and firmware: snp_signature,
/// snp_tcb_mismatch, snp_chip_mismatch.
result<void> check_endorsed(const snp_report& report, const snp_endorsement_key& by);

}  // namespace atls
