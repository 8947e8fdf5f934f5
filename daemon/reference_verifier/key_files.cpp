#include "reference_verifier/key_files.hpp"

#include "core/files.hpp"
#include "core/openssl.hpp"

#include <openssl/pem.h>

namespace atls {

namespace asio = boost::asio;

void make_result_key(const std::filesystem::path& file) {
  const pkey_ptr key(EVP_EC_gen("P-256"));
  const bio_ptr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  write_file(file, {text, static_cast<std::size_t>(size)}, 0600).value();
}

result<jws_key> load_result_key(const std::filesystem::path& file) {
  ATLS_TRY(const auto pem, read_file(file, errc::certificate_invalid));
  const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  pkey_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) {
    return failure(errc::certificate_invalid,
                   file.string() + " holds no PEM private key: " + openssl_errors());
  }
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  jws_key out{std::move(algorithm), std::move(key)};
  const auto published = to_jwk(out).dump() + "\n";
  const auto public_file = file.string() + ".pub";
  if (const auto there = read_file(public_file, errc::internal); !there || *there != published) {
    if (const auto written = write_file(public_file, published, 0644); !written) {
      return written.error();
    }
  }
  return out;
}

result<std::shared_ptr<asio::ssl::context>> load_tls(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key) {
  if (certificate.empty()) {
    return nullptr;
  }
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  boost::system::error_code ec;
  tls->use_certificate_chain_file(certificate.string(), ec);
  if (ec) {
    return failure(errc::certificate_invalid, certificate.string() + ": " + ec.message());
  }
  tls->use_private_key_file(key.string(), asio::ssl::context::pem, ec);
  if (ec) {
    return failure(errc::certificate_invalid,
                   key.string() + ", the key of " + certificate.string() + ": " + ec.message());
  }
  return tls;
}

}  // namespace atls
