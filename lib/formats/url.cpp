#include "formats/url.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace atls {
namespace {

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return out;
}

bool is_visible(char c) {
  return c > ' ' && c < 0x7f;
}

// A reference's components (RFC 3986 appendix B); a fragment is not sent and left out.
struct components {
  std::optional<std::string_view> scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  /// With its question mark; empty if absent.
  std::string_view query;
};

components take_apart(std::string_view text) {
  components out;
  text = text.substr(0, text.find('#'));
  if (const auto mark = text.find('?'); mark != std::string_view::npos) {
    out.query = text.substr(mark);
    text = text.substr(0, mark);
  }
  const auto end = text.find_first_of(":/");
  if (end != std::string_view::npos && text[end] == ':') {
    out.scheme = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    out.authority = text.substr(0, text.find('/'));
    text.remove_prefix(out.authority->size());
  }
  out.path = text;
  return out;
}

// Section 5.2.4, of a path that begins with a slash.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const auto segments = split(path.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool is_dots = segments[i] == "." || segments[i] == "..";
    if (segments[i] == ".." && !kept.empty()) {
      kept.pop_back();
    }
    if (!is_dots) {
      kept.push_back(segments[i]);
    } else if (i + 1 == segments.size()) {
      kept.emplace_back();
    }
  }
  std::string out;
  for (const auto& segment : kept) {
    out.append("/").append(segment);
  }
  return out;
}

}  // namespace

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
  const auto colon_at = text.find("://");
  const auto scheme = to_lower(text.substr(0, colon_at));
  if (colon_at == std::string_view::npos || (scheme != "https" && scheme != "http")) {
    return bad("no http or https scheme");
  }
  out.is_https = scheme == "https";
  std::string_view rest = text.substr(colon_at + 3);
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
    out.host = to_lower(rest.substr(1, end - 1));
    port = rest.substr(end + 1);
  } else {
    const auto colon = rest.find(':');
    out.host = to_lower(rest.substr(0, colon));
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

result<std::string> url::resolve(std::string_view base, std::string_view reference) const {
  if (!std::ranges::all_of(reference, is_visible)) {
    return failure(errc::verifier_protocol, "a URL reference with strange characters");
  }
  const auto to = take_apart(reference);
  if (to.scheme || to.authority) {
    auto authority = std::string(to.authority.value_or(""));
    if (authority.ends_with(':')) {
      authority.pop_back();  // the default port (section 6.2.3)
    }
    const auto there =
        parse(std::string(to.scheme.value_or(is_https ? "https" : "http")) + "://" + authority);
    if (!there || there->origin() != origin()) {
      return failure(errc::verifier_protocol,
                     "\"" + std::string(reference) + "\" is not of the origin " + origin());
    }
  }
  const auto from = take_apart(base);
  if (to.path.empty() && !to.authority) {
    return std::string(from.path).append(to.query.empty() ? from.query : to.query);
  }
  std::string path(to.path);
  if (!to.authority && !path.starts_with('/')) {
    path.insert(0, from.path.substr(0, from.path.rfind('/') + 1));
  }
  return (path.empty() ? "/" : remove_dot_segments(path)).append(to.query);
}

}  // namespace atls
