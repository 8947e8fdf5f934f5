// A Verifier's Attestation Result, checked with that Verifier's keys.
#pragma once

#include "appraisal/ear_check.hpp"
#include "appraisal/transport/verifier_client.hpp"

namespace atls {

/// check_ear() with the keys that `by` has; one that it has changed since is looked for once.
/// Within the Verifier's timeout. `by` outlives it.
boost::asio::awaitable<result<verified_ear>> result_of(
    verifier_client& by, std::string token, result_binding binding, result_policy policy,
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

}  // namespace atls
