// Handing endorsements to a Verifier: Veraison's endorsement provisioning API, request by request.
// No I/O.
#pragma once

#include "dialects/verifier_dialect.hpp"

namespace atls {

enum class provisioning_outcome {
  accepted,
  /// It has had the very same CoRIM before, and keeps it once.
  duplicate
};

/// One CoRIM on its way to a provisioning service.
class provisioning_exchange {
 public:
  /// `media_type` as endorsement_provisioning::media_type() has it.
  provisioning_exchange(url where, std::string media_type, bytes corim);

  /// Once, before everything else.
  http_request begin();
  /// Of the answer to the request before: what to ask next, or what became of the CoRIM.
  /// provisioning_refused with the Verifier's own words, verifier_unavailable (5xx),
  /// verifier_protocol; the exchange is over then.
  result<std::variant<next_request, provisioning_outcome>> resume(const http_reply& answer);

 private:
  const url where_;
  const std::string submit_target_;
  std::string media_type_;
  bytes corim_;
  /// Empty until the service has named it.
  std::string session_path_;
};

}  // namespace atls
