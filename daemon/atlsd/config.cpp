#include "atlsd/config.hpp"

#include "formats/url.hpp"
#include "atlsd/addresses.hpp"
#include "atlsd/document.hpp"
#include "atlsd/object_reader.hpp"
#include "attester/identity.hpp"
#include "attester/self_measurement.hpp"
#include "core/files.hpp"
#include "tls/groups.hpp"

#include <algorithm>
#include <thread>

namespace atls {
namespace {

constexpr unsigned max_connection_limit = 1'000'000;
// Lower ones have been assigned to others (IANA's TLS ExtensionType Values).
constexpr unsigned min_extension_code = 100;
constexpr unsigned max_extension_code = 65535;

result<pcr_selection> usable_pcrs(std::string_view text) {
  auto pcrs = parse_pcr_selection(text);
  if (pcrs && (pcrs->mask & resettable_pcrs) != 0) {
    return failure(errc::config_invalid,
                   "PCRs 16 and 23 can be reset by anybody and prove nothing; take them out");
  }
  return pcrs;
}

void read_identity(object_reader in, const std::filesystem::path& directory,
                   config::identity_settings& to) {
  std::size_t attester = 1;
  in.choice("attester", {"tpm", "none"}, attester);
  auto tpm = in.object("tpm");
  if (attester == 0) {
    config::tpm_settings settings;
    settings.pcrs = parse_pcr_selection(default_pcrs).value();
    tpm.text("tcti", settings.tcti);
    tpm.path("state_dir", directory, settings.state_dir);
    tpm.parsed("pcrs", settings.pcrs, usable_pcrs);
    if (tpm.has("measure_into")) {
      unsigned pcr = first_measured_pcr;
      tpm.number("measure_into", first_measured_pcr, last_measured_pcr, pcr);
      settings.measure_into = pcr;
      if (!settings.pcrs.contains(pcr)) {
        tpm.problem("pcrs", "lack " + std::to_string(pcr) + ", which \"measure_into\" names");
      }
    }
    tpm.refuse_unknown();
    to.tpm = std::move(settings);
  }
  if (!to.tpm && in.has("tpm")) {
    in.problem("tpm", "is given, but \"attester\" is not \"tpm\"");
  }
  in.path("certificate", directory, to.certificate);
  in.path("key", directory, to.key);
  if (to.tpm && !to.key.empty()) {
    in.problem("key", "is given, but with \"attester\": \"tpm\" the key is the one in the TPM");
  }
  if (!to.tpm && to.key.empty() != to.certificate.empty()) {
    in.problem("", "\"certificate\" and \"key\" go together");
  }
  in.refuse_unknown();
}

void read_verifier(object_reader in, const std::filesystem::path& directory,
                   config::verifier_settings& to) {
  in.required("url");
  in.parsed("url", to.url, [](const std::string& text) -> result<std::string> {
    ATLS_CHECK(url::parse(text));
    return text;
  });
  in.paths("result_key", directory, to.result_keys);
  in.path("ca", directory, to.ca);
  in.path("certificate", directory, to.certificate);
  in.path("key", directory, to.key);
  in.path("authorization_file", directory, to.authorization_file);
  in.duration("retired_key_grace", to.retired_key_grace);
  in.duration("timeout", to.timeout);
  constexpr unsigned limit = 100'000;
  in.number("max_concurrent", 1, limit, to.max_concurrent);
  in.number("max_waiting", 0, limit, to.max_waiting);
  if (!in.has("result_key") && to.url.starts_with("http://")) {
    in.problem("result_key",
               "is missing, and the Verifier's own word for it is believed over https only");
  }
  if (to.certificate.empty() != to.key.empty()) {
    in.problem("", "\"certificate\" and \"key\" go together");
  }
  in.refuse_unknown();
}

// `names` are the peer's, where they are known.
void read_policy(object_reader in, const std::filesystem::path& directory,
                 const std::optional<std::vector<std::string>>& names,
                 config::policy_settings& to) {
  in.parsed("pcrs", to.pcrs, usable_pcrs);
  in.rules("rules", {to.pcrs, names}, to.rules);
  in.boolean("dry_run", to.dry_run);
  in.paths("reference_values", directory, to.reference_values);
  in.duration("max_result_age", to.max_result_age);
  in.duration("clock_skew", to.clock_skew);
  in.text("appraisal_policy_id", to.appraisal_policy_id);
  auto id = in.object("verifier_id");
  id.text("developer", to.verifier_developer);
  id.text("build", to.verifier_build);
  id.refuse_unknown();
  in.refuse_unknown();
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

// What makes no sense although each member is well-formed.
void check_tunnel(object_reader& in, const config& whole, const config::tunnel_settings& t) {
  const bool is_ingress = t.role == tls::role::server;
  const bool has_key = whole.identity.tpm || !whole.identity.key.empty();
  using scheme = proxy::address::scheme;
  if (is_ingress && (t.transparent || t.target.kind == scheme::original_destination)) {
    in.problem(t.transparent ? "transparent" : "target",
               "an ingress tunnel has no original destination; name its application");
  }
  if (t.transparent && t.listen.kind != scheme::tcp) {
    in.problem("transparent", "is for a \"listen\" of the form \"host:port\"");
  }
  const char* const plaintext_side = is_ingress ? "target" : "listen";
  const auto& plaintext = is_ingress ? t.target : t.listen;
  if (!plaintext.host.empty() && !plaintext.is_local() && !t.unsafe_plaintext) {
    in.problem(plaintext_side,
               "is the plaintext side, expected a loopback address or a unix socket; "
               "\"unsafe_plaintext\": true allows others");
  }
  if (t.attest && !whole.identity.tpm) {
    in.problem("attest", "is true, but identity.attester is not \"tpm\"");
  }
  if (t.require_attestation && whole.verifiers.empty()) {
    in.problem("require_attestation", "is true, but there is no \"verifier\"");
  }
  if (is_ingress && !has_key) {
    in.problem("role",
               "an ingress tunnel needs a key: identity.attester \"tpm\", or "
               "identity.certificate and identity.key");
  }
  if (t.policy.rules.size() > whole.policy.rules.size() && !t.require_attestation) {
    in.problem("policy.rules", "are given, but \"require_attestation\" is not true");
  }
  if (t.resumption.count() != 0 && t.resumption < std::chrono::seconds(1)) {
    in.problem("resumption", "is less than a second");
  }
  if (t.limits.result_age.count() != 0 && !t.require_attestation) {
    in.problem("max_result_age", "is given, but \"require_attestation\" is not true");
  }
  if (t.limits.hard_result_age < t.limits.result_age || t.limits.result_age.count() == 0) {
    if (t.limits.hard_result_age.count() != 0) {
      in.problem("hard_result_age", "expected no less than a \"max_result_age\"");
    }
  }
  if (!t.peer.names.empty() && t.peer.ca.empty()) {
    in.problem("peer.names", "are given without \"ca\": nobody vouches for a name");
  }
  if (!t.peer.crls.empty() && t.peer.ca.empty()) {
    in.problem("peer.crl", "is given without \"ca\": no certificate would be looked up in it");
  }
  if (!t.peer.kids.empty() && !t.require_attestation) {
    in.problem("peer.kid", "is given, but \"require_attestation\" is not true");
  }
  if (!is_ingress && !t.peer.ca.empty() && t.peer.names.empty()) {
    in.problem("peer.names", "are missing: with \"ca\" alone any certificate of it would do");
  }
  if (t.require_attestation || !t.peer.ca.empty()) {
    if (t.peer.unsafe_unauthenticated) {
      in.problem("peer.unsafe_unauthenticated", "contradicts \"require_attestation\" or \"ca\"");
    }
  } else if (!t.peer.unsafe_unauthenticated) {
    in.problem("peer",
               "nothing authenticates the peer; expected \"require_attestation\": true, "
               "\"ca\", or \"unsafe_unauthenticated\": true");
  }
}

void read_tunnel(object_reader in, const std::filesystem::path& file, config& whole) {
  const auto directory = file.parent_path();
  config::tunnel_settings to;
  to.place = file.string() + ": " + in.place();
  for (const char* name : {"name", "role", "listen", "target"}) {
    in.required(name);
  }
  in.text("name", to.name);
  std::size_t role = 0;
  in.choice("role", {"egress", "ingress"}, role);
  to.role = role == 0 ? tls::role::client : tls::role::server;
  in.parsed("listen", to.listen, proxy::address::parse_listen);
  in.parsed("target", to.target, proxy::address::parse_target);
  in.boolean("attest", to.attest);
  in.boolean("require_attestation", to.require_attestation);
  read_peer(in.object("peer"), directory, to.peer);
  to.policy = whole.policy;
  read_policy(in.object("policy"), directory, to.peer.names, to.policy);
  in.parsed("groups", to.groups, tls::parse_groups);
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
  auto tcp = in.object("tcp");
  tcp.duration("keepalive", to.tcp.keepalive);
  tcp.duration("user_timeout", to.tcp.user_timeout);
  tcp.refuse_unknown();
  in.number("max_connections", 0, max_connection_limit, to.max_connections);
  in.boolean("transparent", to.transparent);
  auto proxy_protocol = in.object("proxy_protocol");
  proxy_protocol.boolean("accept", to.accepts_proxy_header);
  std::size_t version = 0;
  proxy_protocol.choice("send", {"none", "v1", "v2"}, version);
  to.sends_proxy_header = static_cast<proxy::proxy_protocol::version>(version);
  if (version != 0 && to.role == tls::role::client) {
    proxy_protocol.problem("send", "is for ingress: the application is told of its peer");
  }
  proxy_protocol.refuse_unknown();
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

void read_main(const document& from, config& out, reading& all) {
  const auto directory = from.file.parent_path();
  out.documents = {from};
  object_reader in(from.value, "", all);
  in.has("$schema");
  in.path("include", directory, out.include);
  read_identity(in.object("identity"), directory, out.identity);
  in.objects("verifier", [&](object_reader one) {
    read_verifier(std::move(one), directory, out.verifiers.emplace_back());
  });
  out.policy.pcrs = parse_pcr_selection(default_pcrs).value();
  read_policy(in.object("policy"), directory, std::nullopt, out.policy);
  in.objects("tunnels", [&](object_reader one) { read_tunnel(std::move(one), from.file, out); });
  constexpr unsigned max_threads = 256;
  out.threads = std::max(1u, std::thread::hardware_concurrency());
  in.number("threads", 1, max_threads, out.threads);
  in.number("max_connections", 0, max_connection_limit, out.max_connections);
  auto tls = in.object("tls");
  tls.number("extension_code", min_extension_code, max_extension_code, out.extension_code);
  tls.refuse_unknown();
  read_half_open(in.object("half_open"), out.half_open);
  read_log(in.object("log"), out);
  read_admin(in.object("admin"), out.admin);
  auto reload = in.object("reload");
  reload.boolean("watch", out.watch_files);
  reload.duration("poll_interval", out.poll_interval);
  reload.refuse_unknown();
  in.boolean("unsafe_no_sandbox", out.unsafe_no_sandbox);
  in.duration("shutdown_timeout", out.shutdown_timeout);
  in.refuse_unknown();
}

// From `first` on they are of this file.
void place_problems(reading& all, std::size_t first, const std::filesystem::path& file) {
  for (std::size_t i = first; i < all.problems.size(); ++i) {
    const auto& problem = all.problems[i];
    all.problems[i] = file.string() + (problem.starts_with(':') ? "" : ": ") + problem;
  }
}

void read_included(const std::filesystem::path& file, config& out, reading& all,
                   file_digests& seen) {
  const auto included = document::load(file, seen);
  if (!included) {
    all.problems.push_back(included.error().detail);
    return;
  }
  out.documents.push_back(*included);
  const auto first = all.problems.size();
  object_reader in(included->value, "", all);
  in.has("$schema");
  in.required("tunnels");
  in.objects("tunnels", [&](object_reader one) { read_tunnel(std::move(one), file, out); });
  in.refuse_unknown();
  place_problems(all, first, file);
}

}  // namespace

failure mistakes(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    text.append(text.empty() ? "" : "\n").append(line);
  }
  return {errc::config_invalid, text};
}

result<config> config::load(const std::filesystem::path& file, file_digests& seen) {
  ATLS_TRY(auto main, document::load(file, seen));
  ATLS_TRY(auto out, read(main, seen));
  for (const auto& named : out.files()) {
    if (!seen.contains(named)) {
      seen[named] = digest_of_file(named);
    }
  }
  return out;
}

result<config> config::load(const std::filesystem::path& file) {
  file_digests seen;
  return load(file, seen);
}

result<config> config::parse(std::string_view text, const std::filesystem::path& file) {
  ATLS_TRY(auto main, document::parse(text, file));
  file_digests seen;
  return read(main, seen);
}

result<config> config::read(const document& main, file_digests& seen) {
  config out;
  reading all;
  read_main(main, out, all);
  place_problems(all, 0, main.file);
  if (!out.include.empty()) {
    seen[out.include] = digest_of_file(out.include);
    if (const auto files = files_in(out.include)) {
      for (const auto& file : *files) {
        read_included(file, out, all, seen);
      }
    } else {
      all.problems.push_back(main.file.string() + ": include: " + files.error().detail);
    }
  }
  std::ranges::move(shared_addresses(out), std::back_inserter(all.problems));
  if (out.tunnels.empty() && all.problems.empty()) {
    all.problems.push_back(main.file.string() +
                           ": tunnels: is missing or empty, expected at least one tunnel");
  }
  if (!out.policy.rules.empty() &&
      std::ranges::none_of(out.tunnels, &config::tunnel_settings::require_attestation)) {
    all.problems.push_back(main.file.string() +
                           ": policy.rules: are given, but \"require_attestation\" is true of no "
                           "tunnel");
  }
  if (!all.problems.empty()) {
    return mistakes(all.problems);
  }
  return out;
}

std::vector<std::filesystem::path> config::trusted_files() const {
  std::vector<std::filesystem::path> out = {identity.certificate};
  for (const auto& one : verifiers) {
    std::ranges::copy(one.result_keys, std::back_inserter(out));
    out.insert(out.end(), {one.ca, one.certificate});
  }
  for (const auto& one : tunnels) {
    out.push_back(one.peer.ca);
    std::ranges::copy(one.peer.crls, std::back_inserter(out));
  }
  std::erase(out, std::filesystem::path());
  return out;
}

result<bytes> config::measurement() const {
  constexpr std::size_t max_file_bytes = 64u << 20;
  std::vector<std::string> contents;
  for (const auto& one : documents) {
    contents.push_back(one.value.dump());
  }
  for (const auto& file : trusted_files()) {
    ATLS_TRY(contents.emplace_back(), read_file(file, errc::config_invalid, max_file_bytes));
  }
  return digest_of_all(contents);
}

std::vector<std::filesystem::path> config::files() const {
  std::vector<std::filesystem::path> out;
  for (const auto& one : documents) {
    out.push_back(one.file);
  }
  const auto add = [&](const std::filesystem::path& file) {
    if (!file.empty()) {
      out.push_back(file);
    }
  };
  std::ranges::copy(trusted_files(), std::back_inserter(out));
  add(include);
  add(identity.key);
  if (identity.tpm) {
    add(identity.tpm->state_dir / identity::file_name);
    add(authorization_credential());
  }
  for (const auto& one : verifiers) {
    add(one.key);
    add(one.authorization_file);
  }
  for (const auto& one : tunnels) {
    // Those of the common policy among them.
    std::ranges::for_each(one.policy.reference_values, add);
  }
  return out;
}

std::set<std::string> config::known_keys() {
  const auto main =
      document::parse(R"({"identity": {"attester": "tpm"}, "verifier": {}, "tunnels": [{}]})", "")
          .value();
  config out;
  reading all;
  read_main(main, out, all);
  return all.keys;
}

}  // namespace atls
