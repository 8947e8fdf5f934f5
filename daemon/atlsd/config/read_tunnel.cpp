#include "atlsd/config/readers.hpp"
#include "tls/groups.hpp"

namespace atls {
namespace {

using settings = config::tunnel_settings;

void read_ends(object_reader& in, settings& to) {
  for (const char* name : {"name", "role", "listen", "target"}) {
    in.required(name);
  }
  in.text("name", to.name);
  std::size_t role = 0;
  in.choice("role", {"egress", "ingress"}, role);
  to.role = role == 0 ? tls::role::client : tls::role::server;
  in.parsed("listen", to.listen, proxy::address::parse_listen);
  in.parsed("target", to.target, proxy::address::parse_target);
}

void read_attestation(object_reader& in, settings& to) {
  std::optional<std::size_t> presented;
  in.choice_or_none("attest", {"evidence", "passport"}, presented);
  to.attest = presented.has_value();
  to.presents_passport = presented == static_cast<std::size_t>(attestation_model::passport);
  in.boolean("require_attestation", to.require_attestation);
  std::vector<std::size_t> accepted{static_cast<std::size_t>(attestation_model::background_check)};
  in.choices("accepts", {"evidence", "passport", "ra-tls"}, accepted);
  constexpr std::size_t certificates = 2;
  to.accepts.clear();
  for (const auto model : accepted) {
    if (model == certificates) {
      to.accepts_certificates = true;
    } else {
      to.accepts.push_back(static_cast<attestation_model>(model));
    }
  }
  in.boolean("unsafe_no_freshness", to.unsafe_no_freshness);
  auto passport = in.object("passport");
  passport.boolean("fresh", to.passport.fresh);
  passport.duration("max_age", to.passport.max_age);
  if (to.passport.max_age < std::chrono::seconds(1)) {
    passport.problem("max_age", "is less than a second");
  }
  passport.refuse_unknown();
}

void read_peer(object_reader in, const std::filesystem::path& directory,
               config::peer_settings& to) {
  in.texts("names", to.names);
  in.path("ca", directory, to.ca);
  in.paths("crl", directory, to.crls);
  std::vector<std::string> kids;
  in.texts("kid", kids);
  for (const auto& kid : kids) {
    auto value = from_hex(kid);
    if (value && !value->empty()) {
      to.kids.push_back(std::move(*value));
    } else {
      in.problem("kid", "found \"" + kid + "\", expected hexadecimal as atls provision prints it");
    }
  }
  in.boolean("unsafe_unauthenticated", to.unsafe_unauthenticated);
  in.refuse_unknown();
}

void read_times(object_reader& in, settings& to) {
  in.duration("max_result_age", to.limits.result_age);
  to.limits.hard_result_age = 2 * to.limits.result_age;
  in.duration("hard_result_age", to.limits.hard_result_age);
  in.duration("resumption", to.resumption);
  auto limits = in.object("timeouts");
  limits.duration("connect", to.limits.connect);
  limits.duration("handshake", to.limits.handshake);
  limits.duration_or_never("idle", to.limits.idle);
  limits.duration("half_closed", to.limits.half_closed);
  limits.duration("close", to.limits.close);
  limits.refuse_unknown();
}

void read_tcp(object_reader in, proxy::tcp_options& to) {
  in.duration("keepalive", to.keepalive);
  in.duration("user_timeout", to.user_timeout);
  in.refuse_unknown();
}

void read_proxy_protocol(object_reader in, settings& to) {
  in.boolean("accept", to.accepts_proxy_header);
  std::size_t version = 0;
  in.choice("send", {"none", "v1", "v2"}, version);
  to.sends_proxy_header = static_cast<proxy::proxy_protocol::version>(version);
  if (version != 0 && to.role == tls::role::client) {
    in.problem("send", "is for ingress: the application is told of its peer");
  }
  in.refuse_unknown();
}

}  // namespace

void read_tunnel(object_reader in, const std::filesystem::path& file, config& whole) {
  const auto directory = file.parent_path();
  settings to;
  to.place = file.string() + ": " + in.place();
  read_ends(in, to);
  read_attestation(in, to);
  read_peer(in.object("peer"), directory, to.peer);
  to.policy = whole.policy;
  read_policy(in.object("policy"), directory, to.peer.names, to.policy);
  in.parsed("groups", to.groups, tls::parse_groups);
  read_times(in, to);
  read_tcp(in.object("tcp"), to.tcp);
  in.number("max_connections", 0, max_connection_limit, to.max_connections);
  in.boolean("transparent", to.transparent);
  read_proxy_protocol(in.object("proxy_protocol"), to);
  in.boolean("unsafe_plaintext", to.unsafe_plaintext);
  in.refuse_unknown();
  check_tunnel(in, whole, to);
  for (const auto& other : whole.tunnels) {
    if (other.name == to.name) {
      in.problem("name", "\"" + to.name + "\" appears twice");
    }
  }
  whole.tunnels.push_back(std::move(to));
}

}  // namespace atls
