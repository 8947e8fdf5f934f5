// The address of a Verifier, and references to what is there (RFC 3986).
#pragma once

#include "core/error.hpp"

#include <string>

namespace atls {

struct url {
  bool is_https = false;
  /// In lower case.
  std::string host;
  std::string port;
  /// Empty or "/path" without a slash at its end.
  std::string prefix;

  /// "https://host:port".
  std::string origin() const;
  /// "host:port" as in a Host header.
  std::string authority() const;

  /// http or https, a host (IPv6 in brackets), an optional port and path; nothing else.
  static result<url> parse(std::string_view text);

  /// The request target (path and query) that a reference names, found at the target `base`
  /// (RFC 3986 section 5.2). verifier_protocol if it is not of this origin.
  result<std::string> resolve(std::string_view base, std::string_view reference) const;
};

}  // namespace atls
