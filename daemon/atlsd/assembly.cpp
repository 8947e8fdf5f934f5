#include "atlsd/assembly.hpp"

#include "atlsd/addresses.hpp"
#include "attester/self_measurement.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "tls/certificates.hpp"

#include <algorithm>
#include <sys/resource.h>

#include <spdlog/fmt/fmt.h>

namespace atls {
namespace {

constexpr auto tpm_timeout = std::chrono::seconds(10);

// Of all files, in their order.
jws_keys read_result_keys(const std::vector<std::filesystem::path>& files) {
  jws_keys out;
  for (const auto& file : files) {
    auto keys = parse_public_keys(read_file(file, errc::config_invalid).value());
    if (!keys) {
      throw error({errc::config_invalid,
                   "verifier.result_key " + file.string() + ": " + keys.error().detail});
    }
    std::ranges::move(*keys, std::back_inserter(out));
  }
  return out;
}

verifier_options reach(const config::verifier_settings& from) {
  verifier_options out;
  out.url = from.url;
  out.ca_file = from.ca.string();
  out.certificate_file = from.certificate.string();
  out.key_file = from.key.string();
  if (!from.authorization_file.empty()) {
    const auto text = read_file(from.authorization_file, errc::config_invalid).value();
    out.authorization = split(text, '\n').front();
  }
  out.pinned_keys = read_result_keys(from.result_keys);
  out.retired_key_grace = std::chrono::floor<std::chrono::seconds>(from.retired_key_grace);
  out.timeout = from.timeout;
  out.max_concurrent = from.max_concurrent;
  out.max_waiting = from.max_waiting;
  return out;
}

// Judges one tunnel's peers.
std::shared_ptr<const appraisal_policy> make_policy(const config::policy_settings& from,
                                                    std::vector<bytes> kids) {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  return std::make_shared<const appraisal_policy>(
      appraisal_policy{.required_pcrs = from.pcrs,
                       .allowed_kids = std::move(kids),
                       .max_result_age = duration_cast<seconds>(from.max_result_age),
                       .clock_skew = duration_cast<seconds>(from.clock_skew),
                       .verifier_developer = from.verifier_developer,
                       .verifier_build = from.verifier_build,
                       .policy_id = from.appraisal_policy_id,
                       .rules = from.rules,
                       .dry_run = from.dry_run,
                       .known = read_endorsements(from.reference_values)});
}

bool measure(const config::tpm_settings& tpm, unsigned pcr, bytes_view configuration) {
  const auto device = tpm::device::open(tpm.tcti).value();
  const auto measurement = self_measurement(tpm.pcrs.bank, configuration).value();
  return measure_into(*device, pcr, tpm.pcrs.bank, measurement).value();
}

struct key_and_chain {
  std::shared_ptr<EVP_PKEY> key;
  std::vector<x509_ptr> chain;
};

key_and_chain load_identity(const config::identity_settings& from, OSSL_LIB_CTX* library) {
  key_and_chain out;
  if (from.tpm) {
    out.key = provider::load_key(library, provider::tik_uri).value();
  } else if (!from.key.empty()) {
    out.key = tls::read_private_key(from.key, library).value();
  } else {
    return out;
  }
  if (!from.certificate.empty()) {
    out.chain = tls::read_chain(from.certificate, library).value();
  } else {
    out.chain.push_back(tls::self_signed(out.key.get(), library).value());
  }
  return out;
}

std::vector<std::string> texts_of(const std::vector<std::filesystem::path>& files) {
  return {files.begin(), files.end()};
}

std::vector<x509_ptr> share(const std::vector<x509_ptr>& chain) {
  std::vector<x509_ptr> out;
  for (const auto& certificate : chain) {
    X509_up_ref(certificate.get());
    out.emplace_back(certificate.get());
  }
  return out;
}

// The content of files as far as they can be read: what cannot is found out when it is used.
std::string contents(const std::vector<std::filesystem::path>& files) {
  std::string out;
  for (const auto& file : files) {
    const auto text = file.empty() ? result<std::string>("") : read_file(file, errc::internal);
    out.append(file.string()).append("\n").append(text ? *text : "").append("\n");
  }
  return out;
}

std::string made_of(const config::tpm_settings& tpm) {
  return tpm.tcti + "\n" + contents({tpm.state_dir / identity::file_name});
}

std::string made_of(const std::vector<config::verifier_settings>& verifiers) {
  std::string out;
  for (const auto& v : verifiers) {
    out += fmt::format("{} {} {} {} {}\n", v.url, v.retired_key_grace.count(), v.timeout.count(),
                       v.max_concurrent, v.max_waiting) +
           contents(v.result_keys) + contents({v.ca, v.certificate, v.key, v.authorization_file});
  }
  return out;
}

}  // namespace

parsec_tpm_endorsements read_endorsements(const std::vector<std::filesystem::path>& files) {
  parsec_tpm_endorsements out;
  for (const auto& file : files) {
    const auto content = read_file(file, errc::config_invalid).value();
    const auto document = parse_corim(as_bytes(content));
    auto read = document ? parsec_tpm_endorsements::from_corim(*document)
                         : result<parsec_tpm_endorsements>(document.error());
    if (!read) {
      throw error({errc::config_invalid,
                   "policy.reference_values " + file.string() + ": " + read.error().detail});
    }
    std::ranges::move(read->trust_anchors, std::back_inserter(out.trust_anchors));
    std::ranges::move(read->references, std::back_inserter(out.references));
  }
  return out;
}

std::vector<proxy::service::listen_spec> listen_specs(const config& from) {
  check_addresses(from).value();
  std::vector<proxy::service::listen_spec> out;
  for (const auto& t : from.tunnels) {
    out.push_back({t.name, t.listen, t.transparent, t.max_connections});
  }
  return out;
}

std::vector<std::string> expiry_warnings(const assembly& parts,
                                         std::chrono::system_clock::time_point now) {
  constexpr auto soon = std::chrono::hours(14 * 24);
  std::vector<std::string> out;
  if (const auto& expires = parts.certificate_expires; expires && now + soon >= *expires) {
    out.push_back("this machine's certificate (identity.certificate) " +
                  std::string(now >= *expires ? "has expired" : "expires") + " at " +
                  rfc3339(*expires));
  }
  for (const auto& [name, tunnel] : *parts.tunnels) {
    if (const auto end = tunnel->tls->revocation_lists_end(); now >= end) {
      out.push_back("tunnel \"" + name + "\": a revocation list (peer.crl) has expired at " +
                    rfc3339(end) + "; peers of its issuer are refused until there is a newer one");
    }
  }
  return out;
}

proxy::service::connection_limits connection_limits(const config& from) {
  proxy::service::connection_limits out{from.max_connections, from.half_open};
  // Peers that have shown nothing yet must not take the descriptors of those who have.
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    out.before_verdict.half_open =
        std::min<std::size_t>(out.before_verdict.half_open, descriptors.rlim_cur / 4);
  }
  return out;
}

assembler::assembler(std::shared_ptr<prometheus::Registry> statistics)
    : registry_(std::move(statistics)) {}

assembler::kept<tpm_attester> assembler::attester_for(const config& from) const {
  const auto& tpm = from.identity.tpm;
  if (!tpm) {
    return {};
  }
  kept<tpm_attester> out{made_of(*tpm), nullptr};
  if (out.from != attester_.from) {
    out.part = tpm_attester::create({tpm->tcti, tpm->state_dir, tpm->pcrs},
                                    std::chrono::steady_clock::now() + tpm_timeout)
                   .value();
  } else if (attester_.part->pcrs() != tpm->pcrs) {
    out.part = attester_.part->with_pcrs(tpm->pcrs).value();
    // The PCR bank is there.
    out.part->present(bytes(32, 0), std::chrono::steady_clock::now() + tpm_timeout).value();
  } else {
    out.part = attester_.part;
  }
  return out;
}

assembler::kept<relying_party> assembler::relying_party_for(const config& from) const {
  kept<relying_party> out{made_of(from.verifiers), nullptr};
  if (from.verifiers.empty() || out.from == relying_party_.from) {
    out.part = from.verifiers.empty() ? nullptr : relying_party_.part;
    return out;
  }
  relying_party_options options;
  for (const auto& one : from.verifiers) {
    options.verifiers.push_back(reach(one));
  }
  out.part = std::make_shared<relying_party>(std::move(options));
  return out;
}

std::shared_ptr<proxy::tunnel_statistics> assembler::statistics_of(
    const config::tunnel_settings& t) {
  const char* const role = t.role == tls::role::client ? "egress" : "ingress";
  auto& found = statistics_[t.name + "\n" + role];
  if (!found) {
    found = std::make_shared<proxy::tunnel_statistics>(*registry_, t.name, role);
  }
  return found;
}

void assembler::check_measured(const config& from) const {
  if (measured_ && *measured_ != from.measurement().value()) {
    throw error({errc::config_invalid,
                 "the configuration was measured into a PCR (\"measure_into\") and has changed "
                 "since, or a file that it names has; another one can run after the next boot"});
  }
}

std::shared_ptr<const assembly> assembler::assemble(const config& from) {
  check_measured(from);
  if (from.identity.tpm && from.identity.tpm->measure_into && !measured_) {
    auto configuration = from.measurement().value();
    is_measured_alone_ =
        measure(*from.identity.tpm, *from.identity.tpm->measure_into, configuration);
    measured_ = std::move(configuration);
  }
  auto attester = attester_for(from);
  auto relying_party = relying_party_for(from);

  auto services = std::make_shared<attestation_services>();
  services->timeout = tpm_timeout;
  services->attester = attester.part;
  services->relying_party = relying_party.part;
  services->policy = make_policy(from.policy, {});
  if (library_) {
    library_->serve(services);
  } else {
    library_ = std::make_unique<provider::private_context>(services);
  }

  auto out = std::make_shared<assembly>();
  out->services = services;
  out->tpm = attester.part;
  out->is_measured_alone = is_measured_alone_;
  const auto identity = load_identity(from.identity, library_->get());
  if (!from.identity.certificate.empty()) {
    out->certificate_expires = tls::to_time(X509_get0_notAfter(identity.chain.front().get()));
  }
  auto tunnels = std::make_shared<proxy::tunnel_set>();
  for (const auto& t : from.tunnels) {
    tls::settings settings;
    settings.role = t.role;
    settings.attest = t.attest;
    settings.require_attestation = t.require_attestation;
    settings.services = services;
    settings.policy = make_policy(t.policy, t.peer.kids);
    settings.library = library_->get();
    settings.key = identity.key;
    settings.chain = share(identity.chain);
    settings.ca_file = t.peer.ca.string();
    settings.crl_files = texts_of(t.peer.crls);
    settings.names = t.peer.names;
    settings.unsafe_unauthenticated = t.peer.unsafe_unauthenticated;
    settings.groups = t.groups;
    settings.extension_code = static_cast<std::uint16_t>(from.extension_code);
    settings.resumption = std::chrono::floor<std::chrono::seconds>(t.resumption);
    auto context = std::make_shared<const tls::context>(std::move(settings));
    tunnels->emplace(t.name, std::make_shared<const proxy::tunnel>(
                                 proxy::tunnel{.name = t.name,
                                               .listen = t.listen,
                                               .target = t.target,
                                               .tls = std::move(context),
                                               .limits = t.limits,
                                               .tcp = t.tcp,
                                               .statistics = statistics_of(t),
                                               .accepts_proxy_header = t.accepts_proxy_header,
                                               .sends_proxy_header = t.sends_proxy_header,
                                               .transparent = t.transparent}));
  }
  out->tunnels = std::move(tunnels);
  // The files have been read since: they were those that are measured.
  check_measured(from);
  attester_ = std::move(attester);
  relying_party_ = std::move(relying_party);
  return out;
}

}  // namespace atls
