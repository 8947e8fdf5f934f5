// The OpenSSL 3 provider "atls": built into a program here, or loaded as atls.so.
//
//   STORE      atls:tik        the TLS Identity Key and its certificate
//              atls:attester   the key of type ATTESTATION
//   KEYMGMT    EC              only keys from this STORE: no import, no generation
//              ATTESTATION     sign(binder) = Evidence; verify(Evidence, binder) = appraisal
//   SIGNATURE  ECDSA           by the TIK
//              ATTESTATION
#pragma once

#include "core/openssl.hpp"
#include "provider/services.hpp"

namespace atls::provider {

inline constexpr const char* name = "atls";
inline constexpr const char* tik_uri = "atls:tik";
inline constexpr const char* attester_uri = "atls:attester";

/// A library context of its own with the providers `default` and `atls`, the latter working with
/// `services`. The application's default context is not touched. Throws atls::error.
class private_context {
 public:
  explicit private_context(std::shared_ptr<const attestation_services> services);

  /// Keys that are loaded from now on work with these; those that were keep theirs.
  void serve(std::shared_ptr<const attestation_services> services);

  OSSL_LIB_CTX* get() const noexcept { return context_.get(); }

 private:
  lib_ctx_ptr context_;  // first: the providers unload before it goes
  provider_ptr default_;
  provider_ptr atls_;
};

/// The private key behind a URI of the STORE. The failure carries OpenSSL's words.
result<pkey_ptr> load_key(OSSL_LIB_CTX* context, const char* uri);

}  // namespace atls::provider
