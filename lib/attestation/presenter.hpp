// This machine, to its peers.
#pragma once

#include "attestation/scheme.hpp"
#include "core/wait.hpp"
#include "formats/json.hpp"
#include "formats/tpm_structures.hpp"

namespace atls {

/// What proves which machine this is: Evidence of one root of trust, or Attestation Results about
/// it.
class presenter {
 public:
  virtual ~presenter() = default;

  /// What it can present now, best first; empty where a passport has not been issued yet.
  virtual attestation_schemes offers() const = 0;
  /// A CMW about this machine and its TLS key, by one of these schemes. Evidence is bound to
  /// `binder` (32 to 64 bytes). Suspends an ASYNC_JOB, blocks elsewhere.
  virtual result<bytes> present(const attestation_scheme& scheme, bytes_view binder,
                                steady_time deadline) = 0;
  /// Whether it could present something now: tpm_unavailable, passport_expired, ... Blocks.
  virtual result<void> check(steady_time deadline) = 0;
  /// Who attests, as peers and Verifiers name this machine.
  virtual bytes instance() const = 0;
  /// For the admin endpoint: {"attester", ...}.
  virtual json describe() const = 0;
};

/// The private key of this machine's certificate, wherever it lives.
class tls_key {
 public:
  virtual ~tls_key() = default;

  /// DER SubjectPublicKeyInfo.
  virtual const bytes& spki() const noexcept = 0;
  /// DER ECDSA signature of a digest. Suspends an ASYNC_JOB, blocks elsewhere.
  virtual result<bytes> sign(tpm_hash hash, bytes_view digest, steady_time deadline) = 0;
};

}  // namespace atls
