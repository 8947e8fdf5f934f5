// Where a Verifier is and what is known of it.
#pragma once

#include "appraisal/transport/result_keys.hpp"
#include "dialects/verifier_dialect.hpp"

#include <string>

namespace atls {

struct verifier_options {
  /// "http://host:port" or "https://host:port", a path prefix allowed.
  std::string url;
  verifier_type type = verifier_type::veraison;
  dialect_options dialect;
  /// How passports name it; empty: the URL's host.
  std::string identity;
  /// Media types of the Evidence that it is given; empty: all that its kind appraises.
  std::vector<std::string> evidence_types;
  /// As in http_options.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string authorization;
  /// The keys that its Attestation Results may be signed with; empty: taken from its discovery
  /// document, which needs https.
  result_keys::list pinned_keys;
  /// How long a key that discovery no longer shows is honoured.
  std::chrono::seconds retired_key_grace{300};
  /// For one Evidence, from its place in the queue to the Attestation Result.
  std::chrono::milliseconds timeout{5000};
  /// How many it works on at a time, and how many more wait for one of these places.
  std::size_t max_concurrent = 64;
  std::size_t max_waiting = 1024;
};

}  // namespace atls
