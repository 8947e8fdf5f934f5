#include "proxy/tunnel.hpp"

#include "core/text.hpp"

namespace atls::proxy {

result<host_and_port> host_and_port::parse(std::string_view text) {
  host_and_port out;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    out.host = text.substr(0, colon);
    out.port = text.substr(colon + 1);
  }
  if (out.host.starts_with('[') && out.host.ends_with(']')) {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    out.host.clear();
  }
  if (out.host.empty() || !parse_number(out.port, 65535)) {
    return failure(errc::config_invalid,
                   "\"" + std::string(text) +
                       "\" is not an address; expected \"host:port\", such as "
                       "\"127.0.0.1:8080\" or \"[::1]:8080\"");
  }
  return out;
}

std::string host_and_port::text() const {
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + port;
}

}  // namespace atls::proxy
