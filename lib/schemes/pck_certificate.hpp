// The certificate of a platform's Provisioning Certification Key (Intel, "SGX PCK Certificate and
// Certificate Revocation List Profile Specification", section 1.3.5): extension
// 1.2.840.113741.1.13.1, a SEQUENCE of {OID, value}.
#pragma once

#include "core/openssl.hpp"

#include <array>

namespace atls {

struct pck_extension {
  /// Of the platform; 16 bytes.
  bytes ppid;
  /// Of the sixteen components, and of the PCE.
  std::array<std::uint8_t, 16> component_svn{};
  std::uint16_t pce_svn = 0;
  bytes pce_id;
  /// Processor family, model, stepping and platform type; 6 bytes.
  bytes fmspc;
};

/// evidence_malformed if it is absent or otherwise.
result<pck_extension> read_pck_extension(const X509* certificate);

}  // namespace atls
