#include "atlsd/config/readers.hpp"

#include <algorithm>
#include <thread>

namespace atls {
namespace {

// Lower ones have been assigned to others (IANA's TLS ExtensionType Values).
constexpr unsigned min_extension_code = 100;
constexpr unsigned max_extension_code = 65535;

void read_tls(object_reader in, config& to) {
  in.number("extension_code", min_extension_code, max_extension_code, to.extension_code);
  in.refuse_unknown();
}

void read_half_open(object_reader in, proxy::admission_limits& to) {
  const auto size = [&](const char* name, std::size_t& value) {
    auto number = static_cast<unsigned>(value);
    in.number(name, 1, max_connection_limit, number);
    value = number;
  };
  size("max", to.half_open);
  size("per_source", to.per_source);
  size("handshakes", to.handshakes);
  constexpr unsigned ipv4_bits = 32;
  constexpr unsigned ipv6_bits = 128;
  in.number("ipv4_prefix", 1, ipv4_bits, to.ipv4_prefix);
  in.number("ipv6_prefix", 1, ipv6_bits, to.ipv6_prefix);
  in.refuse_unknown();
}

void read_log(object_reader in, config& to) {
  const std::initializer_list<const char*> levels = {"debug", "info", "warn", "error"};
  std::size_t level = 1;
  in.choice("level", levels, level);
  to.log_level = levels.begin()[level];
  std::size_t format = 0;
  in.choice("format", {"text", "json"}, format);
  to.log_format = format == 0 ? proxy::log_format::text : proxy::log_format::json;
  constexpr unsigned most = 1'000'000;
  in.number("refusals_per_second", 1, most, to.refusals_per_second);
  in.refuse_unknown();
}

void read_admin(object_reader in, config::admin_settings& to) {
  in.boolean("enabled", to.enabled);
  to.is_default = !in.has("listen");
  in.parsed("listen", to.listen, proxy::address::parse_listen);
  if (!to.listen.is_local() || to.listen.kind == proxy::address::scheme::activated) {
    in.problem("listen", "found \"" + to.listen.text() +
                             "\", expected a loopback address or a unix socket: whoever reaches it "
                             "can stop atlsd; \"metrics_listen\" is for others");
  }
  if (in.has("metrics_listen")) {
    to.metrics_listen.emplace();
    in.parsed("metrics_listen", *to.metrics_listen, proxy::address::parse_listen);
  }
  in.refuse_unknown();
}

void read_reload(object_reader in, config& to) {
  in.boolean("watch", to.watch_files);
  in.duration("poll_interval", to.poll_interval);
  in.refuse_unknown();
}

}  // namespace

void read_process(object_reader& in, config& to) {
  constexpr unsigned max_threads = 256;
  to.threads = std::max(1u, std::thread::hardware_concurrency());
  in.number("threads", 1, max_threads, to.threads);
  in.number("max_connections", 0, max_connection_limit, to.max_connections);
  read_tls(in.object("tls"), to);
  read_half_open(in.object("half_open"), to.half_open);
  read_log(in.object("log"), to);
  read_admin(in.object("admin"), to.admin);
  read_reload(in.object("reload"), to);
  in.boolean("unsafe_no_sandbox", to.unsafe_no_sandbox);
  in.duration("shutdown_timeout", to.shutdown_timeout);
}

}  // namespace atls
