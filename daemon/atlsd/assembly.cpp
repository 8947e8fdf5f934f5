#include "atlsd/assembly.hpp"

#include "atlsd/addresses.hpp"
#include "attester/sample_presenter.hpp"
#include "attester/self_measurement.hpp"
#include "attester/several_presenters.hpp"
#include "core/attempt.hpp"
#include "core/text.hpp"
#include "tls/certificates.hpp"

#include <algorithm>
#include <sys/resource.h>

#include <spdlog/fmt/fmt.h>

namespace atls {
namespace {

constexpr auto presentation_timeout = std::chrono::seconds(10);

bool measure(const config::tpm_settings& tpm, unsigned pcr, bytes_view configuration) {
  const auto device = tpm::device::open(tpm.tcti).value();
  const auto measurement = self_measurement(tpm.pcrs.bank, configuration).value();
  return measure_into(*device, pcr, tpm.pcrs.bank, measurement).value();
}

std::vector<std::string> texts_of(const std::vector<std::filesystem::path>& files) {
  return {files.begin(), files.end()};
}

}  // namespace

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

assembler::kept<tpm_attester> assembler::tpm_for(const config& from) const {
  const auto& tpm = from.identity.tpm;
  if (!tpm) {
    return {};
  }
  const auto deadline = std::chrono::steady_clock::now() + presentation_timeout;
  kept<tpm_attester> out{made_of(*tpm), nullptr};
  if (out.from != tpm_.from) {
    out.part = tpm_attester::create({tpm->tcti, tpm->state_dir, tpm->pcrs}, deadline).value();
  } else if (tpm_.part->pcrs() != tpm->pcrs) {
    out.part = tpm_.part->with_pcrs(tpm->pcrs).value();
    // The PCR bank is there.
    out.part->present(out.part->offers().front(), bytes(32, 0), deadline).value();
  } else {
    out.part = tpm_.part;
  }
  return out;
}

assembler::kept<tsm_attester> assembler::tsm_for(const config& from) const {
  const auto& tsm = from.identity.tsm;
  if (!tsm) {
    return {};
  }
  kept<tsm_attester> out{made_of(*tsm), tsm_.part};
  if (out.from != tsm_.from) {
    out.part = tsm_attester::create(make_tsm(*tsm),
                                    std::chrono::steady_clock::now() + presentation_timeout)
                   .value();
  }
  return out;
}

assembler::kept<azure_attester> assembler::azure_for(
    const config& from, const std::shared_ptr<tpm_attester>& tpm) const {
  const auto& azure = from.identity.azure;
  if (!azure || !tpm) {
    return {};
  }
  const auto& state_dir = from.identity.tpm->state_dir;
  kept<azure_attester> out{made_of(*azure) + made_of(*from.identity.tpm), azure_.part};
  if (out.from != azure_.from) {
    out.part = azure_attester::create(tpm, {azure->metadata, state_dir},
                                      std::chrono::steady_clock::now() + presentation_timeout)
                   .value();
  } else if (tpm != tpm_.part) {
    out.part = azure_.part->with_tpm(tpm);
  }
  return out;
}

std::shared_ptr<EVP_PKEY> assembler::key_in_memory() {
  if (!key_in_memory_) {
    key_in_memory_.reset(EVP_PKEY_Q_keygen(library_->get(), "provider=default", "EC", "P-256"),
                         EVP_PKEY_free);
    if (!key_in_memory_) {
      throw error({errc::internal, "no key can be made: " + openssl_errors()});
    }
  }
  return key_in_memory_;
}

assembler::kept<relying_party> assembler::relying_party_for(const config& from) const {
  kept<relying_party> out{made_of(from.verifiers), nullptr};
  if (from.verifiers.empty() || out.from == relying_party_.from) {
    out.part = from.verifiers.empty() ? nullptr : relying_party_.part;
    return out;
  }
  out.part =
      std::make_shared<relying_party>(relying_party_options{.verifiers = make_verifiers(from)});
  return out;
}

assembler::kept<passport_presenter> assembler::passports_for(
    const config& from, bool is_fresh, const std::shared_ptr<presenter>& evidence,
    const key_and_chain& identity) const {
  // Of several tunnels the strictest says for how long one is used.
  auto max_age = std::chrono::milliseconds::max();
  for (const auto& t : from.tunnels) {
    if (t.presents_passport && t.passport.fresh == is_fresh) {
      max_age = std::min(max_age, t.passport.max_age);
    }
  }
  if (max_age == std::chrono::milliseconds::max()) {
    return {};
  }
  const auto policy = make_common_policy(from);
  passport_presenter_options options{.evidence = evidence,
                                     .leaf_spki = spki_of(identity.chain.front().get()).value(),
                                     .schemes = policy->schemes,
                                     .verifiers = make_verifiers(from),
                                     .results = policy->results,
                                     .is_fresh = is_fresh};
  options.results.max_age = std::chrono::floor<std::chrono::seconds>(max_age);
  kept<passport_presenter> out{
      made_of(from.identity) +
          fmt::format("{} {} {} {} {} {} {}\n", to_string(from.policy.pcrs),
                      to_hex(options.leaf_spki), max_age.count(), from.policy.clock_skew.count(),
                      from.policy.verifier_developer, from.policy.verifier_build,
                      from.policy.appraisal_policy_id) +
          made_of(from.verifiers),
      nullptr};
  const auto& before = passports_[is_fresh ? 1 : 0];
  if (out.from == before.from) {
    out.part = before.part;
    return out;
  }
  out.part = passport_presenter::create(std::move(options),
                                        std::chrono::steady_clock::now() + presentation_timeout)
                 .value();
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

void assembler::measure_once(const config& from) {
  check_measured(from);
  if (from.identity.tpm && from.identity.tpm->measure_into && !measured_) {
    auto configuration = from.measurement().value();
    is_measured_alone_ =
        measure(*from.identity.tpm, *from.identity.tpm->measure_into, configuration);
    measured_ = std::move(configuration);
  }
}

void assembler::serve(const config& from, const std::shared_ptr<tpm_attester>& tpm,
                      const std::shared_ptr<relying_party>& judges) {
  auto services = std::make_shared<attestation_services>();
  services->timeout = presentation_timeout;
  services->presenter = tpm;
  services->key = tpm;
  if (judges) {
    services->appraiser = std::make_shared<tunnel_appraiser>(judges, make_common_policy(from));
  }
  if (library_) {
    library_->serve(std::move(services));
  } else {
    library_ = std::make_unique<provider::private_context>(std::move(services));
  }
}

std::shared_ptr<const proxy::tunnel> assembler::make_tunnel(
    const config& whole, const config::tunnel_settings& t, const key_and_chain& identity,
    std::shared_ptr<presenter> presents, const std::shared_ptr<relying_party>& judges) {
  tls::settings settings;
  settings.role = t.role;
  settings.presenter = std::move(presents);
  settings.presentation_timeout = presentation_timeout;
  if (t.require_attestation) {
    settings.appraiser = std::make_shared<tunnel_appraiser>(judges, make_policy(whole, t));
  }
  settings.library = library_->get();
  settings.key = identity.key;
  settings.chain = identity.share_chain();
  settings.ca_file = t.peer.ca.string();
  settings.crl_files = texts_of(t.peer.crls);
  settings.names = t.peer.names;
  settings.unsafe_unauthenticated = t.peer.unsafe_unauthenticated;
  settings.groups = t.groups;
  settings.extension_code = static_cast<std::uint16_t>(whole.extension_code);
  settings.resumption = std::chrono::floor<std::chrono::seconds>(t.resumption);
  return std::make_shared<const proxy::tunnel>(
      proxy::tunnel{.name = t.name,
                    .listen = t.listen,
                    .target = t.target,
                    .tls = std::make_shared<const tls::context>(std::move(settings)),
                    .limits = t.limits,
                    .tcp = t.tcp,
                    .statistics = statistics_of(t),
                    .accepts_proxy_header = t.accepts_proxy_header,
                    .sends_proxy_header = t.sends_proxy_header,
                    .transparent = t.transparent});
}

std::shared_ptr<const assembly> assembler::assemble(const config& from) {
  measure_once(from);
  auto out = std::make_shared<assembly>();
  // Of several roots of trust one may be absent.
  const auto part = [&](auto make) {
    decltype(make()) made;
    if (const auto done = attempt([&] { made = make(); }); !done) {
      if (!from.identity.is_either()) {
        throw error(done.error());
      }
      out->absent.push_back(done.error());
    }
    return made;
  };
  auto tpm = part([&] { return tpm_for(from); });
  auto tsm = part([&] { return tsm_for(from); });
  auto azure = part([&] { return azure_for(from, tpm.part); });
  for (const auto one : from.identity.attesters) {
    using attester = config::attester;
    out->presenters.push_back(one == attester::tpm   ? std::shared_ptr<presenter>(tpm.part)
                              : one == attester::tsm ? std::shared_ptr<presenter>(tsm.part)
                                                     : azure.part);
  }
  if (from.identity.is_sample) {
    out->presenters.push_back(std::make_shared<sample_presenter>());
  }
  std::erase(out->presenters, nullptr);
  if (out->presenters.empty() && !out->absent.empty()) {
    throw error(out->absent.back());
  }
  auto judges = relying_party_for(from);
  serve(from, tpm.part, judges.part);

  out->tpm = tpm.part;
  out->relying_party = judges.part;
  out->is_measured_alone = is_measured_alone_;
  const auto identity = load_identity(from.identity, library_->get(), tpm.part != nullptr,
                                      tsm.part ? key_in_memory() : nullptr);
  if (!from.identity.certificate.empty()) {
    out->certificate_expires = tls::to_time(X509_get0_notAfter(identity.chain.front().get()));
  }
  std::shared_ptr<presenter> evidence;
  if (!out->presenters.empty()) {
    evidence = out->presenters.size() > 1 ? std::make_shared<several_presenters>(out->presenters)
                                          : out->presenters.front();
  }
  std::array passports = {passports_for(from, false, evidence, identity),
                          passports_for(from, true, evidence, identity)};
  for (const auto& one : passports) {
    if (one.part) {
      out->presenters.push_back(one.part);
    }
  }
  auto tunnels = std::make_shared<proxy::tunnel_set>();
  for (const auto& t : from.tunnels) {
    std::shared_ptr<presenter> presents = t.attest ? evidence : nullptr;
    out->asks_verifier |= t.asks_verifier();
    if (t.presents_passport) {
      presents = passports[t.passport.fresh ? 1 : 0].part;
    }
    tunnels->emplace(t.name, make_tunnel(from, t, identity, std::move(presents), judges.part));
  }
  out->tunnels = std::move(tunnels);
  // The files have been read since: they were those that are measured.
  check_measured(from);
  tpm_ = std::move(tpm);
  tsm_ = std::move(tsm);
  azure_ = std::move(azure);
  passports_ = std::move(passports);
  relying_party_ = std::move(judges);
  return out;
}

}  // namespace atls
