// A request to an HTTP server, and its answer.
#pragma once

#include "core/bytes.hpp"

#include <string>
#include <vector>

namespace atls {

struct http_request {
  std::string method;
  /// Path and query.
  std::string target;
  std::string accept;
  /// Of the body; empty: there is none.
  std::string content_type;
  bytes body;
  /// "name=value"; empty: none.
  std::string cookie = {};
  /// Further fields: name, value.
  std::vector<std::pair<std::string, std::string>> fields = {};
};

struct http_reply {
  unsigned status = 0;
  std::string content_type;
  std::string location;
  std::string cache_control;
  std::string body;
  /// Of the first Set-Cookie field.
  std::string set_cookie = {};
};

}  // namespace atls
