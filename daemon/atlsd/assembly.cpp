#include "atlsd/assembly.hpp"

#include "attester/self_measurement.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "tls/certificates.hpp"

namespace atls {
namespace {

constexpr auto tpm_timeout = std::chrono::seconds(10);

jws_key read_result_key(const std::filesystem::path& file) {
  auto key = parse_public_key(read_file(file, errc::config_invalid).value());
  if (!key) {
    throw error(
        {errc::config_invalid, "verifier.result_key " + file.string() + ": " + key.error().detail});
  }
  return std::move(*key);
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
  if (!from.result_key.empty()) {
    out.result_key = std::make_shared<const jws_key>(read_result_key(from.result_key));
  }
  out.retired_key_grace = std::chrono::floor<std::chrono::seconds>(from.retired_key_grace);
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
                       .dry_run = from.dry_run});
}

bool measure(const config::tpm_settings& tpm, unsigned pcr, std::string_view configuration) {
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

std::vector<x509_ptr> share(const std::vector<x509_ptr>& chain) {
  std::vector<x509_ptr> out;
  for (const auto& certificate : chain) {
    X509_up_ref(certificate.get());
    out.emplace_back(certificate.get());
  }
  return out;
}

}  // namespace

assembly assemble(const config& from) {
  assembly out;
  auto services = std::make_shared<attestation_services>();
  services->timeout = tpm_timeout;
  if (const auto& tpm = from.identity.tpm) {
    if (tpm->measure_into) {
      out.is_measured_alone = measure(*tpm, *tpm->measure_into, from.text);
    }
    auto attester = tpm_attester::create({tpm->tcti, tpm->state_dir, tpm->pcrs},
                                         std::chrono::steady_clock::now() + tpm_timeout)
                        .value();
    out.tpm = attester;
    services->attester = std::move(attester);
  }
  if (!from.verifiers.empty()) {
    relying_party_options options;
    const auto& preferred = from.verifiers.front();
    options.timeout = preferred.timeout;
    options.max_concurrent = preferred.max_concurrent;
    options.max_waiting = preferred.max_waiting;
    for (const auto& one : from.verifiers) {
      options.verifiers.push_back(reach(one));
    }
    services->relying_party = std::make_shared<relying_party>(std::move(options));
  }
  services->policy = make_policy(from.policy, {});
  out.services = services;
  out.library = std::make_unique<provider::private_context>(services);

  const auto identity = load_identity(from.identity, out.library->get());
  for (const auto& t : from.tunnels) {
    tls::settings settings;
    settings.role = t.role;
    settings.attest = t.attest;
    settings.require_attestation = t.require_attestation;
    settings.services = services;
    settings.policy = make_policy(t.policy, t.peer.kids);
    settings.library = out.library->get();
    settings.key = identity.key;
    settings.chain = share(identity.chain);
    settings.ca_file = t.peer.ca.string();
    settings.names = t.peer.names;
    settings.unsafe_unauthenticated = t.peer.unsafe_unauthenticated;
    settings.groups = t.groups;
    settings.resumption = std::chrono::floor<std::chrono::seconds>(t.resumption);
    auto context = std::make_shared<const tls::context>(std::move(settings));
    out.tunnels.push_back(
        std::make_shared<const proxy::tunnel>(proxy::tunnel{.name = t.name,
                                                            .listen = t.listen,
                                                            .target = t.target,
                                                            .tls = std::move(context),
                                                            .limits = t.limits,
                                                            .tcp = t.tcp,
                                                            .max_connections = t.max_connections,
                                                            .transparent = t.transparent}));
  }
  return out;
}

}  // namespace atls
