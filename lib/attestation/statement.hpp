// What Evidence says, read once.
#pragma once

#include "core/bytes.hpp"
#include "formats/json.hpp"

#include <string>

namespace atls {

/// Evidence that passed every check its scheme makes without a Verifier.
struct statement {
  /// What it is, without parameters of its own.
  std::string media_type;
  /// The Evidence without its CMW: what a Verifier is given.
  bytes evidence;
  /// Who attests, as its scheme names machines (PARSEC_TPM: the kid).
  bytes instance;
  /// What rules are about, below "evidence" (schemes/fact.hpp); byte strings in hexadecimal.
  json facts;
  /// Bound to the handshake that it came in; otherwise to the peer's key alone, and as old as its
  /// certificate may be.
  bool is_fresh = true;
};

}  // namespace atls
