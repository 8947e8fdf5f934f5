#include "tls/certificates.hpp"

#include "core/certificate_names.hpp"
#include "core/certificates.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <ctime>

#include <openssl/pem.h>
#include <openssl/rand.h>

namespace atls::tls {

std::chrono::system_clock::time_point to_time(const ASN1_TIME* at) {
  using clock = std::chrono::system_clock;
  constexpr auto last = std::chrono::floor<std::chrono::seconds>(clock::time_point::max());
  tm parts{};
  if (ASN1_TIME_to_tm(at, &parts) != 1) {
    return clock::time_point::min();
  }
  return std::chrono::sys_seconds(
      std::min(std::chrono::seconds(::timegm(&parts)), last.time_since_epoch()));
}

bytes fingerprint_of(const X509* certificate) {
  bytes out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), out.data(), &size);
  out.resize(size);
  return out;
}

result<std::string> name_of_certificate(X509* certificate, const std::vector<std::string>& names) {
  if (names.empty()) {
    return std::string();
  }
  for (const auto& name : names) {
    if (is_certificate_for(certificate, name)) {
      return name;
    }
  }
  return failure(errc::pki_name_mismatch,
                 "expected " + names.front() + (names.size() > 1 ? " or another" : ""));
}

result<std::vector<x509_ptr>> read_chain(const std::filesystem::path& file, OSSL_LIB_CTX* library) {
  ATLS_TRY(const auto pem, read_file(file, errc::certificate_invalid));
  auto out = certificates_from_pem(pem, library);
  const auto why = openssl_errors();
  if (out.empty()) {
    return failure(errc::certificate_invalid, file.string() + " holds no PEM certificate: " + why);
  }
  return out;
}

result<std::vector<crl_ptr>> read_crls(const std::filesystem::path& file) {
  ATLS_TRY(const auto pem, read_file(file, errc::config_invalid));
  const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<crl_ptr> out;
  while (crl_ptr one{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
    out.push_back(std::move(one));
  }
  const auto why = openssl_errors();
  if (out.empty()) {
    return failure(errc::config_invalid, file.string() + " holds no PEM revocation list: " + why);
  }
  return out;
}

result<pkey_ptr> read_private_key(const std::filesystem::path& file, OSSL_LIB_CTX* library) {
  ATLS_TRY(const auto pem, read_file(file, errc::certificate_invalid));
  const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  pkey_ptr key(PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, nullptr, nullptr, library, nullptr));
  if (!key) {
    return failure(errc::certificate_invalid,
                   file.string() + " holds no PEM private key: " + openssl_errors());
  }
  return key;
}

result<x509_ptr> self_signed(EVP_PKEY* key, OSSL_LIB_CTX* library) {
  x509_ptr certificate(X509_new_ex(library, nullptr));
  X509* x = certificate.get();
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  X509_NAME* name = X509_get_subject_name(x);
  constexpr long ten_years = 10L * 365 * 24 * 3600;
  const EVP_MD* md = EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256();
  const bool ok = X509_set_version(x, X509_VERSION_3) == 1 &&
                  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
                  X509_gmtime_adj(X509_getm_notBefore(x), -3600) != nullptr &&
                  X509_gmtime_adj(X509_getm_notAfter(x), ten_years) != nullptr &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                             reinterpret_cast<const unsigned char*>("attested TLS"),
                                             -1, -1, 0) == 1 &&
                  X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
                  X509_sign(x, key, md) != 0;
  if (!ok) {
    return failure(errc::identity_invalid,
                   "no certificate can be made for the key: " + openssl_errors());
  }
  return certificate;
}

}  // namespace atls::tls
