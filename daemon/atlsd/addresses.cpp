#include "atlsd/addresses.hpp"

#include "proxy/listen/listener.hpp"

#include <algorithm>

namespace atls {
namespace {

using proxy::stream_protocol;

struct listening {
  /// In the documents.
  std::string place;
  /// "tunnel "name"", "admin.listen", ...
  std::string who;
  const proxy::address* at;
  /// What other hosts must not reach, and why; empty otherwise.
  std::string is_private;
  std::vector<stream_protocol::endpoint> endpoints;
};

std::vector<listening> all_of(const config& from) {
  std::vector<listening> out;
  for (const auto& t : from.tunnels) {
    if (t.listen.host.empty()) {
      continue;  // a mistake that has been told
    }
    const bool is_plaintext = t.role == tls::role::client && !t.unsafe_plaintext;
    out.push_back({t.place + ".listen",
                   "tunnel \"" + t.name + "\"",
                   &t.listen,
                   is_plaintext ? "the plaintext side; \"unsafe_plaintext\": true allows that" : "",
                   {}});
  }
  if (from.admin.enabled) {
    const auto admin = from.documents.front().file.string() + ": admin.";
    out.push_back({admin + "listen",
                   "admin.listen",
                   &from.admin.listen,
                   "where whoever reaches it can stop atlsd",
                   {}});
    if (from.admin.metrics_listen) {
      out.push_back(
          {admin + "metrics_listen", "admin.metrics_listen", &*from.admin.metrics_listen, "", {}});
    }
  }
  return out;
}

bool overlap(const listening& one, const listening& other) {
  return std::ranges::any_of(one.endpoints, [&](const auto& a) {
    return std::ranges::any_of(other.endpoints,
                               [&](const auto& b) { return proxy::overlap(a, b); });
  });
}

std::string shares_with(const listening& other) {
  return "would share its clients with " + other.who + ", which listens on " + other.at->text();
}

failure cannot_listen(const listening& one, const std::string& why) {
  return {errc::listen_failed, one.who + " cannot listen on " + one.at->text() + ": " + why};
}

}  // namespace

std::vector<std::string> shared_addresses(const config& from) {
  std::vector<std::string> out;
  const auto all = all_of(from);
  for (auto one = all.begin(); one != all.end(); ++one) {
    const auto earlier = std::find_if(
        all.begin(), one, [&](const auto& other) { return one->at->overlaps(*other.at); });
    if (earlier != one) {
      out.push_back(one->place + ": \"" + one->at->text() + "\" " + shares_with(*earlier));
    }
  }
  return out;
}

result<void> check_addresses(const config& from) {
  auto all = all_of(from);
  for (auto one = all.begin(); one != all.end(); ++one) {
    auto found = proxy::resolve_listen(*one->at);
    if (!found) {
      return cannot_listen(*one, found.error().detail);
    }
    one->endpoints = std::move(*found);
    const auto beyond = std::ranges::find_if_not(one->endpoints, proxy::is_local);
    if (!one->is_private.empty() && beyond != one->endpoints.end()) {
      return failure(errc::config_invalid,
                     one->place + ": \"" + one->at->text() + "\" is " + proxy::to_text(*beyond) +
                         ", expected a loopback address or a unix socket: it is " +
                         one->is_private);
    }
    const auto earlier =
        std::find_if(all.begin(), one, [&](const auto& other) { return overlap(*one, other); });
    if (earlier != one) {
      return cannot_listen(*one, shares_with(*earlier));
    }
  }
  return {};
}

}  // namespace atls
