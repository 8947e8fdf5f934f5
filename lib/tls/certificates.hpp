// Certificates: files of them, one of our own making, and what is asked of a peer's.
#pragma once

#include "core/openssl.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace atls::tls {

/// A PEM chain, leaf first. certificate_invalid with the file's name.
result<std::vector<x509_ptr>> read_chain(const std::filesystem::path& file, OSSL_LIB_CTX* library);

using crl_ptr = std::unique_ptr<X509_CRL, openssl_deleter<X509_CRL_free>>;
/// PEM revocation lists, at least one. config_invalid with the file's name.
result<std::vector<crl_ptr>> read_crls(const std::filesystem::path& file);

/// A PEM private key.
result<pkey_ptr> read_private_key(const std::filesystem::path& file, OSSL_LIB_CTX* library);

/// An envelope for a key that is trusted by attestation alone.
result<x509_ptr> self_signed(EVP_PKEY* key, OSSL_LIB_CTX* library);

/// What a certificate's or a list's date says; a date that the clock cannot show is its last.
std::chrono::system_clock::time_point to_time(const ASN1_TIME* at);

/// SHA-256 of the DER.
bytes fingerprint_of(const X509* certificate);

/// The first of the names that it is for (is_certificate_for()); empty if none is given.
/// pki_name_mismatch.
result<std::string> name_of_certificate(X509* certificate, const std::vector<std::string>& names);

}  // namespace atls::tls
