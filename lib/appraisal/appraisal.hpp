// One appraisal, step by step (ARCHITECTURE.md): from what a peer presented to the verdict.
#pragma once

#include "appraisal/appraisal_policy.hpp"
#include "appraisal/transport/verifier_client.hpp"
#include "attestation/appraiser.hpp"

namespace atls {

/// The only maker of attested_peer.
class appraisal {
 public:
  using verifiers = std::vector<std::unique_ptr<verifier_client>>;

  /// Evidence and the scheme that checked it.
  struct checked_evidence {
    std::shared_ptr<const evidence_scheme> scheme;
    std::shared_ptr<const statement> content;
    /// What it is bound to, and its result is to be.
    bytes nonce;
  };
  /// What needs no Verifier: CMW and type, or the certificate; the scheme's own checks, the
  /// machine.
  static result<checked_evidence> check(const appraisal_request& request,
                                        const appraisal_policy& policy);

  /// Of Evidence: the local checks, then a Verifier, then its result under the policy. On the
  /// Verifiers' thread. `source` is whose it is, for the Verifier's queue.
  static boost::asio::awaitable<result<attested_peer>> of_evidence(
      const verifiers& ask, appraisal_request request,
      std::shared_ptr<const appraisal_policy> policy, std::string source,
      std::function<bool()> is_abandoned);

  /// Of a passport, by the keys configured for the Verifier that was agreed upon; nobody is asked.
  static result<attested_peer> of_passport(const appraisal_request& request, const jws_keys& keys,
                                           const appraisal_policy& policy);

  /// appraiser::judge_again().
  static result<void> again(const attested_peer& peer, const appraisal_policy& policy,
                            const std::string& pki_name);

 private:
  struct answer;
  static boost::asio::awaitable<result<answer>> submit(const verifiers& ask, submission what);
};

}  // namespace atls
