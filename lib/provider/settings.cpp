// What the loadable module works with: openssl.cnf's section for the provider, overridden by the
// environment.
//
//   tcti        ATLS_TCTI        how to reach the TPM
//   state       ATLS_STATE       state directory of `atls provision`
//   pcrs        ATLS_PCRS        what is quoted and required (default: as atls provision)
//   verifier    ATLS_VERIFIER    URL of the Verifier
//   verifier_ca ATLS_VERIFIER_CA PEM file of trust anchors for its https
//   result_key  ATLS_RESULT_KEY  file with the Verifier's keys: JWK, JWK Set or PEM
#include "appraisal/relying_party.hpp"
#include "attester/tpm_attester.hpp"
#include "core/files.hpp"
#include "core/openssl.hpp"
#include "provider/internal.hpp"

#include <cstdlib>

#include <openssl/params.h>
#include <openssl/pem.h>

namespace atls::provider {
namespace {

constexpr auto timeout = std::chrono::seconds(10);

std::string setting(const context& provider, const char* name, const char* variable) {
  if (const char* value = ::secure_getenv(variable)) {
    return value;
  }
  char* value = nullptr;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(name, &value, 0),
                         OSSL_PARAM_construct_end()};
  if (provider.get_params != nullptr && provider.get_params(provider.core, params) == 1 &&
      value != nullptr) {
    return value;
  }
  return {};
}

// The TIK's certificate beside the identity, if somebody put one there.
std::vector<bytes> read_certificates(const std::filesystem::path& file) {
  std::vector<bytes> out;
  const bio_ptr bio(BIO_new_file(file.c_str(), "r"));
  while (bio) {
    const x509_ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) {
      break;
    }
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    out.emplace_back(der, der + size);
    OPENSSL_free(der);
  }
  (void)openssl_errors();
  return out;
}

}  // namespace

result<std::shared_ptr<const attestation_services>> services_from_settings(
    const context& provider) {
  const auto tcti = setting(provider, "tcti", "ATLS_TCTI");
  const auto state = setting(provider, "state", "ATLS_STATE");
  const auto verifier = setting(provider, "verifier", "ATLS_VERIFIER");
  const auto result_key = setting(provider, "result_key", "ATLS_RESULT_KEY");
  auto pcrs_text = setting(provider, "pcrs", "ATLS_PCRS");
  if (pcrs_text.empty()) {
    pcrs_text = default_pcrs;
  }
  if (state.empty() && verifier.empty()) {
    return failure(errc::config_invalid,
                   "set ATLS_TCTI and ATLS_STATE to attest, ATLS_VERIFIER and ATLS_RESULT_KEY to "
                   "appraise, in the environment or as tcti, state, verifier and result_key in the "
                   "provider's section of openssl.cnf");
  }
  ATLS_TRY(const auto pcrs, parse_pcr_selection(pcrs_text));
  const std::shared_ptr<attestation_services> out(
      new attestation_services, [maker = ::getpid()](const attestation_services* services) {
        if (maker == ::getpid()) {
          delete services;
        }
      });
  out->timeout = timeout;
  if (!state.empty()) {
    ATLS_TRY(const auto machine,
             tpm_attester::create({tcti.empty() ? "device:/dev/tpmrm0" : tcti, state, pcrs},
                                  std::chrono::steady_clock::now() + timeout));
    out->presenter = machine;
    out->key = machine;
    out->certificates = read_certificates(std::filesystem::path(state) / "certificate.pem");
  }
  if (!verifier.empty()) {
    if (result_key.empty()) {
      return failure(errc::config_invalid,
                     "ATLS_VERIFIER is set, ATLS_RESULT_KEY is not; expected "
                     "a file with the Verifier's key");
    }
    ATLS_TRY(const auto text, read_file(result_key, errc::config_invalid));
    verifier_options where;
    where.url = verifier;
    where.ca_file = setting(provider, "verifier_ca", "ATLS_VERIFIER_CA");
    where.timeout = timeout;
    ATLS_TRY(where.pinned_keys, parse_public_keys(text));
    auto policy = std::make_shared<appraisal_policy>();
    policy->schemes = make_schemes({.parsec_tpm = {.required_pcrs = pcrs}});
    out->appraiser = std::make_shared<tunnel_appraiser>(
        std::make_shared<relying_party>(relying_party_options{.verifiers = {std::move(where)}}),
        std::move(policy));
  }
  return std::shared_ptr<const attestation_services>(out);
}

}  // namespace atls::provider
