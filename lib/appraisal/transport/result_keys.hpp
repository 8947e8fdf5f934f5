// The keys that a Verifier's Attestation Results may be signed with.
#pragma once

#include "formats/jose.hpp"

#include <chrono>

namespace atls {

class result_keys {
 public:
  using clock = std::chrono::steady_clock;
  using list = jws_keys;

  explicit result_keys(std::chrono::seconds retired_grace) : grace_(retired_grace) {}

  /// The keys that the Verifier signs with from now on; those before that are not among them
  /// retire.
  void set_current(list keys, clock::time_point now);
  /// Newest first; retired ones for as long as the grace lasts.
  list usable(clock::time_point now) const;

 private:
  /// What retired at once.
  struct retired {
    list keys;
    clock::time_point until;
  };

  std::chrono::seconds grace_;
  list current_;
  std::vector<retired> retired_;
};

}  // namespace atls
