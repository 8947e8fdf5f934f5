#include "atlsd/parts.hpp"

#include "attester/identity.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "provider/provider.hpp"
#include "tls/certificates.hpp"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

namespace atls {
namespace {

using std::chrono::seconds;

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

appraisal_policy policy_from(const config& whole, const config::policy_settings& from) {
  appraisal_policy out;
  out.schemes = make_schemes({.parsec_tpm = {.required_pcrs = from.pcrs,
                                             .known = read_endorsements(from.reference_values)},
                              .sev_snp = from.snp,
                              .tdx = from.tdx,
                              .sgx = from.sgx,
                              .arm_cca = from.cca,
                              .azure_vtpm = from.azure,
                              .unsafe_sample = whole.takes_samples()});
  out.results = {.max_age = std::chrono::duration_cast<seconds>(from.max_result_age),
                 .clock_skew = std::chrono::duration_cast<seconds>(from.clock_skew),
                 .verifier_developer = from.verifier_developer,
                 .verifier_build = from.verifier_build,
                 .policy_id = from.appraisal_policy_id};
  out.rules = from.rules;
  out.dry_run = from.dry_run;
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

}  // namespace

std::vector<x509_ptr> key_and_chain::share_chain() const {
  std::vector<x509_ptr> out;
  for (const auto& certificate : chain) {
    X509_up_ref(certificate.get());
    out.emplace_back(certificate.get());
  }
  return out;
}

key_and_chain load_identity(const config::identity_settings& from, OSSL_LIB_CTX* library,
                            bool has_tpm, const std::shared_ptr<EVP_PKEY>& made) {
  key_and_chain out;
  if (has_tpm) {
    out.key = provider::load_key(library, provider::tik_uri).value();
  } else if (!from.key.empty()) {
    out.key = tls::read_private_key(from.key, library).value();
  } else if (made) {
    out.key = made;
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

tsm_attester_options make_tsm(const config::tsm_settings& from) {
  tsm_attester_options out{.entry = from.entry};
  for (const auto& file : from.certificates) {
    out.certificates += read_file(file, errc::config_invalid).value();
  }
  return out;
}

verifier_options make_verifier(const config::verifier_settings& from) {
  verifier_options out;
  out.url = from.url;
  out.type = from.type;
  out.identity = from.identity;
  out.evidence_types = from.evidence_types;
  out.dialect.policy_ids = from.policy_ids;
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

std::vector<verifier_options> make_verifiers(const config& from) {
  std::vector<verifier_options> out;
  for (const auto& one : from.verifiers) {
    out.push_back(make_verifier(one));
  }
  return out;
}

std::shared_ptr<const appraisal_policy> make_policy(const config& whole,
                                                    const config::tunnel_settings& from) {
  auto out = std::make_shared<appraisal_policy>(policy_from(whole, from.policy));
  out->accepts = from.accepts;
  out->takes_certificates = from.accepts_certificates;
  out->allowed_instances = from.peer.kids;
  out->passports = {from.passport.fresh,
                    std::chrono::duration_cast<seconds>(from.passport.max_age)};
  return out;
}

std::shared_ptr<const appraisal_policy> make_common_policy(const config& whole) {
  return std::make_shared<const appraisal_policy>(policy_from(whole, whole.policy));
}

std::string made_of(const config::tpm_settings& from) {
  return from.tcti + "\n" + contents({from.state_dir / identity::file_name});
}

std::string made_of(const config::tsm_settings& from) {
  const auto& entry = from.entry;
  return fmt::format("{} {} {}\n", entry.root.string(), entry.entry,
                     entry.privlevel ? std::to_string(*entry.privlevel) : "") +
         contents(from.certificates);
}

std::string made_of(const config::azure_settings& from) {
  return from.metadata.origin() + from.metadata.prefix + "\n";
}

std::string made_of(const config::identity_settings& from) {
  return std::string(from.is_sample ? "sample\n" : "") + (from.tpm ? made_of(*from.tpm) : "") +
         (from.tsm ? made_of(*from.tsm) : "") + (from.azure ? made_of(*from.azure) : "");
}

std::string made_of(const std::vector<config::verifier_settings>& verifiers) {
  std::string out;
  for (const auto& v : verifiers) {
    out += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", static_cast<int>(v.type),
                       v.unsafe_sample_tee, v.url, v.identity, fmt::join(v.evidence_types, ","),
                       fmt::join(v.policy_ids, ","), v.retired_key_grace.count(), v.timeout.count(),
                       v.max_concurrent, v.max_waiting) +
           contents(v.result_keys) + contents({v.ca, v.certificate, v.key, v.authorization_file});
  }
  return out;
}

}  // namespace atls
