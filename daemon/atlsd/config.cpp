#include "atlsd/config.hpp"

#include "attester/self_measurement.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "evidence/json.hpp"
#include "verifier/url.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <thread>

namespace atls {
namespace {

constexpr unsigned max_connection_limit = 1'000'000;
constexpr std::string_view default_pcrs = "sha256:0,1,2,3,4,5,6,7";

// One object of the document. Members are asked for by name; what nobody asked for is unknown.
class object_reader {
 public:
  object_reader(const json& value, std::string path, std::vector<std::string>& problems)
      : value_(value), path_(std::move(path)), problems_(problems) {
    if (!value.is_object()) {
      problem("", "found " + std::string(value.type_name()) + ", expected an object");
    }
  }

  bool has(const char* name) {
    known_.insert(name);
    return value_.is_object() && value_.contains(name);
  }

  void problem(const std::string& name, const std::string& what) {
    problems_.push_back(path_ + (name.empty() || path_.empty() ? "" : ".") + name + ": " + what);
  }

  void required(const char* name) {
    if (!has(name)) {
      problem(name, "is missing");
    }
  }

  object_reader object(const char* name) {
    static const json empty = json::object();
    return {has(name) ? value_[name] : empty, path_of(name), problems_};
  }

  // Calls `read` with each element of an array of objects.
  template <class Read>
  void objects(const char* name, Read read) {
    if (!has(name)) {
      return;
    }
    if (!value_[name].is_array()) {
      problem(name, "found " + std::string(value_[name].type_name()) + ", expected an array");
      return;
    }
    for (std::size_t i = 0; i < value_[name].size(); ++i) {
      read(
          object_reader(value_[name][i], path_of(name) + "[" + std::to_string(i) + "]", problems_));
    }
  }

  void boolean(const char* name, bool& to) {
    if (has(name)) {
      if (value_[name].is_boolean()) {
        to = value_[name].get<bool>();
      } else {
        problem(name, "found " + value_[name].dump() + ", expected true or false");
      }
    }
  }

  void text(const char* name, std::string& to) {
    if (has(name)) {
      if (value_[name].is_string()) {
        to = value_[name].get<std::string>();
      } else {
        problem(name, "found " + value_[name].dump() + ", expected text");
      }
    }
  }

  void path(const char* name, const std::filesystem::path& directory, std::filesystem::path& to) {
    std::string given;
    text(name, given);
    if (!given.empty()) {
      to = directory / given;
    }
  }

  // Text or an array of text.
  void texts(const char* name, std::vector<std::string>& to) {
    if (!has(name)) {
      return;
    }
    const json& member = value_[name];
    const json list = member.is_array() ? member : json::array({member});
    for (const auto& one : list) {
      if (one.is_string()) {
        to.push_back(one.get<std::string>());
      } else {
        problem(name, "found " + one.dump() + ", expected text");
      }
    }
  }

  void number(const char* name, unsigned min, unsigned max, unsigned& to) {
    if (has(name)) {
      const auto value = integral(value_[name]);
      if (value && *value >= min && *value <= max) {
        to = static_cast<unsigned>(*value);
      } else {
        problem(name, "found " + value_[name].dump() + ", expected " + std::to_string(min) +
                          " to " + std::to_string(max));
      }
    }
  }

  void duration(const char* name, std::chrono::milliseconds& to) {
    if (has(name)) {
      const auto text = string_member(value_, name);
      const auto value = text ? parse_duration(*text) : std::nullopt;
      if (value && value->count() > 0) {
        to = *value;
      } else {
        problem(name, "found " + value_[name].dump() +
                          ", expected a duration such as \"500ms\", \"5s\", \"2m\" or \"1h\"");
      }
    }
  }

  // One of the given words; its index.
  void choice(const char* name, std::initializer_list<const char*> words, std::size_t& to) {
    if (has(name)) {
      const auto text = string_member(value_, name);
      const auto* found = std::ranges::find_if(words, [&](auto word) { return text == word; });
      if (found != words.end()) {
        to = static_cast<std::size_t>(found - words.begin());
        return;
      }
      std::string expected;
      for (const auto* word : words) {
        expected.append(expected.empty() ? "\"" : ", \"").append(word).append("\"");
      }
      problem(name, "found " + value_[name].dump() + ", expected one of " + expected);
    }
  }

  // What a parser makes of a text member; its failure is the problem.
  template <class T, class Parse>
  void parsed(const char* name, T& to, Parse parse) {
    std::string given;
    text(name, given);
    if (!given.empty()) {
      if (auto value = parse(given)) {
        to = std::move(*value);
      } else {
        problem(name, value.error().detail);
      }
    }
  }

  // An array of policy rules, added to `to`.
  void rules(const char* name, std::vector<policy_rule>& to) {
    if (has(name)) {
      auto more = parse_rules(value_[name], path_of(name), problems_);
      std::ranges::move(more, std::back_inserter(to));
    }
  }

  // To be called after all members have been asked for.
  void refuse_unknown() {
    if (!value_.is_object()) {
      return;
    }
    for (const auto& [name, ignored] : value_.items()) {
      if (!known_.contains(name)) {
        problem(name, "is not a known key; did you mean \"" +
                          nearest(name, {known_.begin(), known_.end()}) + "\"?");
      }
    }
  }

 private:
  std::string path_of(const char* name) const { return path_ + (path_.empty() ? "" : ".") + name; }

  const json& value_;
  std::string path_;
  std::vector<std::string>& problems_;
  std::set<std::string> known_;
};

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
  in.path("result_key", directory, to.result_key);
  in.path("ca", directory, to.ca);
  in.path("certificate", directory, to.certificate);
  in.path("key", directory, to.key);
  in.path("authorization_file", directory, to.authorization_file);
  in.duration("retired_key_grace", to.retired_key_grace);
  in.duration("timeout", to.timeout);
  constexpr unsigned limit = 100'000;
  in.number("max_concurrent", 1, limit, to.max_concurrent);
  in.number("max_waiting", 0, limit, to.max_waiting);
  if (to.result_key.empty() && to.url.starts_with("http://")) {
    in.problem("result_key",
               "is missing, and the Verifier's own word for it is believed over https only");
  }
  if (to.certificate.empty() != to.key.empty()) {
    in.problem("", "\"certificate\" and \"key\" go together");
  }
  in.refuse_unknown();
}

void read_policy(object_reader in, config::policy_settings& to) {
  in.parsed("pcrs", to.pcrs, usable_pcrs);
  in.rules("rules", to.rules);
  in.boolean("dry_run", to.dry_run);
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
  if (!(is_ingress ? t.target : t.listen).is_local() && !t.unsafe_plaintext) {
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
  if (t.resumption.count() != 0 && t.resumption < std::chrono::seconds(1)) {
    in.problem("resumption", "is less than a second");
  }
  if (!t.peer.names.empty() && t.peer.ca.empty()) {
    in.problem("peer.names", "are given without \"ca\": nobody vouches for a name");
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

void read_tunnel(object_reader in, const std::filesystem::path& directory, config& whole) {
  config::tunnel_settings to;
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
  read_policy(in.object("policy"), to.policy);
  in.text("groups", to.groups);
  in.duration("resumption", to.resumption);
  auto limits = in.object("timeouts");
  limits.duration("connect", to.limits.connect);
  limits.duration("handshake", to.limits.handshake);
  limits.duration("idle", to.limits.idle);
  limits.duration("half_closed", to.limits.half_closed);
  limits.duration("close", to.limits.close);
  limits.refuse_unknown();
  auto tcp = in.object("tcp");
  tcp.duration("keepalive", to.tcp.keepalive);
  tcp.duration("user_timeout", to.tcp.user_timeout);
  tcp.refuse_unknown();
  in.number("max_connections", 0, max_connection_limit, to.max_connections);
  in.boolean("transparent", to.transparent);
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

}  // namespace

result<config> config::load(const std::filesystem::path& file) {
  ATLS_TRY(const auto text, read_file(file, errc::config_invalid));
  auto loaded = parse(text, file.parent_path());
  if (!loaded) {
    return failure(errc::config_invalid, file.string() + ":" + loaded.error().detail);
  }
  return loaded;
}

result<config> config::parse(std::string_view text, const std::filesystem::path& directory) {
  constexpr bool comments = true;
  ATLS_TRY(const json document, parse_json(text, errc::config_invalid, comments));
  config out;
  out.text = text;
  std::vector<std::string> problems;
  object_reader in(document, "", problems);

  read_identity(in.object("identity"), directory, out.identity);
  const auto add_verifier = [&](object_reader one) {
    read_verifier(std::move(one), directory, out.verifiers.emplace_back());
  };
  if (in.has("verifier") && document["verifier"].is_array()) {
    in.objects("verifier", add_verifier);
  } else if (in.has("verifier")) {
    add_verifier(in.object("verifier"));
  }
  out.policy.pcrs = parse_pcr_selection(default_pcrs).value();
  read_policy(in.object("policy"), out.policy);
  in.required("tunnels");
  in.objects("tunnels", [&](object_reader one) { read_tunnel(std::move(one), directory, out); });
  if (in.has("tunnels") && document["tunnels"].is_array() && document["tunnels"].empty()) {
    in.problem("tunnels", "is empty, expected at least one tunnel");
  }

  constexpr unsigned max_threads = 256;
  out.threads = std::max(1u, std::thread::hardware_concurrency());
  in.number("threads", 1, max_threads, out.threads);
  in.number("max_connections", 0, max_connection_limit, out.max_connections);
  auto log = in.object("log");
  const std::initializer_list<const char*> levels = {"debug", "info", "warn", "error"};
  std::size_t level = 1;
  log.choice("level", levels, level);
  out.log_level = levels.begin()[level];
  std::size_t format = 0;
  log.choice("format", {"text", "json"}, format);
  out.log_format = format == 0 ? proxy::log_format::text : proxy::log_format::json;
  log.refuse_unknown();
  in.duration("shutdown_timeout", out.shutdown_timeout);
  in.refuse_unknown();

  if (!problems.empty()) {
    std::string all;
    for (const auto& problem : problems) {
      all.append("\n  ").append(problem);
    }
    return failure(errc::config_invalid, all);
  }
  return out;
}

}  // namespace atls
