// Peers, to this machine.
#pragma once

#include "attestation/attested_peer.hpp"
#include "attestation/scheme.hpp"

#include <memory>

namespace atls {

/// What an appraisal learned on its way, refused or not.
struct appraisal_trace {
  /// The Verifier that answered, and its Attestation Result as it came.
  std::string verifier;
  std::string token;
  std::chrono::nanoseconds verifier_time{0};
};

/// What is known of one handshake when what its peer presents has arrived: a CMW, or nothing but
/// its certificate.
struct appraisal_request {
  bytes cmw;
  /// What was agreed upon; nullopt: nothing, and the certificate is to carry Evidence.
  std::optional<attestation_scheme> scheme;
  bytes binder;
  /// DER SubjectPublicKeyInfo of the peer's leaf certificate.
  bytes leaf_spki;
  /// DER of that certificate, where nothing was agreed upon.
  bytes certificate;
  /// The configured name that the peer's certificate is for; empty without PKI.
  std::string pki_name;
  /// Filled on the way if there is one.
  std::shared_ptr<appraisal_trace> trace;
};

/// One tunnel's judgement of its peers.
class appraiser {
 public:
  virtual ~appraiser() = default;

  /// What it can judge, best first.
  virtual const attestation_schemes& accepts() const noexcept = 0;
  /// Whether Evidence that the peer's certificate carries will do, where the two agree upon
  /// nothing.
  virtual bool takes_certificates() const noexcept { return false; }
  /// Every step (ARCHITECTURE.md), on behalf of requester::current(). Suspends an ASYNC_JOB, blocks
  /// elsewhere.
  virtual result<attested_peer> appraise(appraisal_request request) = 0;
  /// Whether a peer that another policy admitted, and whose connection lives on, would be admitted
  /// by this one; the failure is the one that its handshake would have now. No Verifier is asked.
  virtual result<void> judge_again(const attested_peer& peer,
                                   const std::string& pki_name) const = 0;
};

}  // namespace atls
