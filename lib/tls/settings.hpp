// What one side of a tunnel brings to its TLS handshakes.
#pragma once

#include "attestation/appraiser.hpp"
#include "attestation/presenter.hpp"
#include "core/openssl.hpp"
#include "tls/remote_attestation.hpp"

namespace atls::tls {

enum class role { client, server };

struct settings {
  tls::role role = role::client;

  /// This side attests; null: it does not.
  std::shared_ptr<atls::presenter> presenter;
  /// For what it presents in one handshake.
  std::chrono::milliseconds presentation_timeout{10'000};
  /// The peer must attest, and what it presents must be acceptable to this; null: it need not.
  std::shared_ptr<atls::appraiser> appraiser;

  /// The context that `key` lives in; null: OpenSSL's default.
  OSSL_LIB_CTX* library = nullptr;
  /// This side's key and certificate chain, leaf first; a client may have none.
  std::shared_ptr<EVP_PKEY> key;
  std::vector<x509_ptr> chain;

  /// PEM file of the peer's trust anchors; empty: its chain is not judged (attestation alone).
  std::string ca_file;
  /// PEM files of revocation lists. If there are any, each authority of the peer's chain must have
  /// a current one.
  std::vector<std::string> crl_files;
  /// The peer's certificate must be for one of these (DNS names, or URIs such as spiffe://...).
  std::vector<std::string> names;

  /// Spelled out by the operator: neither of the above, the peer may be anybody.
  bool unsafe_unauthenticated = false;

  /// For how long a peer may come back without another full handshake; 0: never.
  std::chrono::seconds resumption{0};

  /// Of the extension remoteAttestation; both sides must agree.
  std::uint16_t extension_code = default_extension_code;

  /// Key exchange groups as use_groups() takes them; empty: the default.
  std::string groups;
};

}  // namespace atls::tls
