// The reference Verifier's keys: what it signs Attestation Results with, and its certificate.
#pragma once

#include "formats/jose.hpp"

#include <filesystem>
#include <memory>

#include <boost/asio/ssl/context.hpp>

namespace atls {

/// Makes a P-256 key; only its owner can read the file. Throws if it cannot be written.
void make_result_key(const std::filesystem::path& file);

/// The key that signs Attestation Results. Its public half goes into FILE.pub as a JWK, for the
/// Relying Parties. certificate_invalid if the file holds no private key.
result<jws_key> load_result_key(const std::filesystem::path& file);

/// nullptr without a certificate: plain HTTP. certificate_invalid names the file.
result<std::shared_ptr<boost::asio::ssl::context>> load_tls(
    const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace atls
