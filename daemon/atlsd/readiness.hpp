// Whether this sidecar could serve a connection now: it can attest, and a Verifier is at
// work.
#pragma once

#include "atlsd/state.hpp"

#include <condition_variable>
#include <thread>

namespace atls {

/// Looks on a thread of its own, so that whoever asks gets an answer at once.
class readiness {
 public:
  explicit readiness(const state& of);
  ~readiness();
  readiness(const readiness&) = delete;
  readiness& operator=(const readiness&) = delete;

  /// Empty: ready. What is missing otherwise: "tpm_unavailable: ...", "initializing", ...
  std::string why_not() const;

 private:
  void loop();

  const state& state_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::string why_not_ = "initializing";
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace atls
