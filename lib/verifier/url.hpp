// The address of a Verifier.
#pragma once

#include "core/error.hpp"

#include <string>

namespace atls {

struct url {
  bool is_https = false;
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
};

}  // namespace atls
