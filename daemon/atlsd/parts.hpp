// The parts of an assembly, each from its own settings. What cannot be read throws atls::error.
#pragma once

#include "appraisal/relying_party.hpp"
#include "atlsd/config.hpp"
#include "attester/tsm_attester.hpp"

namespace atls {

/// This side's key and certificate chain, leaf first; both empty without an identity.
struct key_and_chain {
  std::shared_ptr<EVP_PKEY> key;
  std::vector<x509_ptr> chain;

  /// The same certificates, owned once more.
  std::vector<x509_ptr> share_chain() const;
};

/// Of an identity without a TPM's key (TLS Identity Key, fetched from the provider in `library`) or
/// a file's, `made` is the key. Without a certificate the key gets a self-signed one.
key_and_chain load_identity(const config::identity_settings& from, OSSL_LIB_CTX* library,
                            bool has_tpm, const std::shared_ptr<EVP_PKEY>& made);

/// Trust anchors and reference values of all files.
parsec_tpm_endorsements read_endorsements(const std::vector<std::filesystem::path>& files);

tsm_attester_options make_tsm(const config::tsm_settings& from);

verifier_options make_verifier(const config::verifier_settings& from);
std::vector<verifier_options> make_verifiers(const config& from);

/// How one tunnel's peers are judged.
std::shared_ptr<const appraisal_policy> make_policy(const config& whole,
                                                    const config::tunnel_settings& from);
/// By what is common to all tunnels.
std::shared_ptr<const appraisal_policy> make_common_policy(const config& whole);

/// Everything that a part is made of, content of files included: the part is the same if this is.
std::string made_of(const config::tpm_settings& from);
std::string made_of(const config::tsm_settings& from);
std::string made_of(const config::azure_settings& from);
std::string made_of(const config::identity_settings& from);
std::string made_of(const std::vector<config::verifier_settings>& verifiers);

}  // namespace atls
