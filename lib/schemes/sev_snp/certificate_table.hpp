// The certificates that a host puts beside an SNP report (GHCB specification, "SNP Extended Guest
// Request"): configfs-tsm's auxblob. Nobody vouches for them but their signatures.
//
//   entries of 24 bytes: GUID (16, in the order of RFC 4122), offset, length (4 each,
//   little-endian), up to one of zeros; the offsets count from the table's start; then the
//   contents, PEM or DER
#pragma once

#include "core/error.hpp"
#include "core/openssl.hpp"

namespace atls {

/// Null or empty where the host gave none.
struct snp_certificates {
  x509_ptr root;          // ARK
  x509_ptr intermediate;  // ASK, or ASVK
  x509_ptr vcek;
  x509_ptr vlek;
};

/// Entries of other GUIDs are skipped; an empty table has nothing. evidence_malformed: what points
/// outside, stands twice, or holds no certificate.
result<snp_certificates> read_certificate_table(bytes_view table);

/// Certificates that were got elsewhere, such as AMD's Key Distribution Service, each put in its
/// place by what it is. certificate_invalid: one of another kind, or two of one.
result<snp_certificates> sort_certificates(std::vector<x509_ptr> given);

/// The table of these certificates, in PEM.
bytes encode_certificate_table(const snp_certificates& certificates);

}  // namespace atls
