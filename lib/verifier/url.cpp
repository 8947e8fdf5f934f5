#include "verifier/url.hpp"

#include "core/text.hpp"

namespace atls {

std::string url::authority() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + port;
}

std::string url::origin() const {
  return (is_https ? "https://" : "http://") + authority();
}

result<url> url::parse(std::string_view text) {
  const auto bad = [&](const char* why) {
    return failure(errc::config_invalid, "\"" + std::string(text) + "\": " + why +
                                             "; expected \"https://host:port\" or "
                                             "\"http://host:port\"");
  };
  url out;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    out.is_https = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return bad("no http or https scheme");
  }
  if (rest.substr(0, rest.find('/')).find('@') != std::string_view::npos) {
    // Not shown again: there may be a password in it.
    return failure(errc::config_invalid,
                   "a URL with a user's name; expected it in a file, \"authorization_file\"");
  }
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    out.prefix = rest.substr(slash);
    while (out.prefix.ends_with('/')) {
      out.prefix.pop_back();
    }
    rest = rest.substr(0, slash);
  }
  if (out.prefix.find_first_of("?# ") != std::string::npos) {
    return bad("a query, fragment or space");
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) {
      return bad("no closing bracket");
    }
    out.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const auto colon = rest.find(':');
    out.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (out.host.empty() || out.host.find(' ') != std::string::npos) {
    return bad("no host");
  }
  if (port.empty()) {
    out.port = out.is_https ? "443" : "80";
  } else if (port.front() == ':' && parse_number(port.substr(1), 65535).value_or(0) != 0) {
    out.port = port.substr(1);
  } else {
    return bad("no valid port");
  }
  return out;
}

}  // namespace atls
