// Where a Verifier is and what is known of it.
#pragma once

#include "evidence/jose.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace atls {

struct verifier_options {
  /// "http://host:port" or "https://host:port", a path prefix allowed.
  std::string url;
  /// As in http_options.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string authorization;
  /// The Verifier's key for Attestation Results; null: taken from its discovery document, which
  /// needs https.
  std::shared_ptr<const jws_key> result_key;
  /// How long a key that discovery no longer shows is honoured.
  std::chrono::seconds retired_key_grace{300};
};

}  // namespace atls
