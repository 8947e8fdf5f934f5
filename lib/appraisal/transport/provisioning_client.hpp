// Handing endorsements to a Verifier, over HTTP.
#pragma once

#include "appraisal/transport/http_client.hpp"
#include "dialects/veraison/provisioning_exchange.hpp"

#include <chrono>

namespace atls {

/// Gives one CoRIM to the service at `to` and waits until it says what became of it. Blocks.
/// provisioning_refused with the Verifier's own words; verifier_unavailable (5xx too),
/// verifier_timeout or verifier_protocol if there is no such answer. Throws atls::error if a file
/// of `to` cannot be used.
result<provisioning_outcome> submit_endorsements(const http_options& to, std::string media_type,
                                                 bytes corim, std::chrono::milliseconds timeout);

}  // namespace atls
