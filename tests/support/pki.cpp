#include "support/pki.hpp"

#include "support/software_tpm.hpp"

#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace atls::test {
namespace {

void must(bool holds) {
  if (!holds) {
    throw std::runtime_error("test PKI: " + openssl_errors());
  }
}

using extension_ptr = std::unique_ptr<X509_EXTENSION, openssl_deleter<X509_EXTENSION_free>>;
using revoked_ptr = std::unique_ptr<X509_REVOKED, openssl_deleter<X509_REVOKED_free>>;
using time_ptr = std::unique_ptr<ASN1_TIME, openssl_deleter<ASN1_TIME_free>>;

void add_extension(X509* to, int nid, const std::string& value) {
  const extension_ptr one(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  must(one && X509_add_ext(to, one.get(), -1) == 1);
}

time_ptr from_now(std::chrono::seconds time) {
  return time_ptr(ASN1_TIME_set(nullptr, std::time(nullptr) + time.count()));
}

x509_ptr make(EVP_PKEY* key, const certificate_request& request, EVP_PKEY* signer,
              const X509_NAME* issuer) {
  x509_ptr out(X509_new());
  X509* const x = out.get();
  X509_NAME* const name = X509_get_subject_name(x);
  std::uint64_t serial = 0;
  must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  must(X509_set_version(x, X509_VERSION_3) == 1 &&
       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
       X509_set1_notBefore(x, from_now(std::chrono::hours(-1)).get()) == 1 &&
       X509_set1_notAfter(x, from_now(request.lives).get()) == 1 &&
       X509_NAME_add_entry_by_txt(
           name, "CN", MBSTRING_ASC,
           reinterpret_cast<const unsigned char*>(request.common_name.c_str()), -1, -1, 0) == 1 &&
       X509_set_issuer_name(x, issuer != nullptr ? issuer : name) == 1 &&
       X509_set_pubkey(x, key) == 1);
  if (request.is_authority) {
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  if (!request.alternatives.empty()) {
    add_extension(x, NID_subject_alt_name, request.alternatives);
  }
  must(X509_sign(x, signer, EVP_sha256()) != 0);
  return out;
}

}  // namespace

authority::authority(const std::string& name)
    : key_(new_key()),
      certificate_(
          make(key_.get(), {.common_name = name, .is_authority = true}, key_.get(), nullptr)) {}

authority::authority(const std::string& name, const authority& above)
    : key_(new_key()),
      certificate_(above.issue(key_.get(), {.common_name = name, .is_authority = true})) {}

x509_ptr authority::issue(EVP_PKEY* key, const certificate_request& request) const {
  return make(key, request, key_.get(), X509_get_subject_name(certificate_.get()));
}

tls::crl_ptr authority::revoke(std::initializer_list<const X509*> revoked,
                               std::chrono::seconds lives) const {
  tls::crl_ptr out(X509_CRL_new());
  const auto issued = from_now(std::chrono::hours(-1));
  must(X509_CRL_set_version(out.get(), X509_CRL_VERSION_2) == 1 &&
       X509_CRL_set_issuer_name(out.get(), X509_get_subject_name(certificate_.get())) == 1 &&
       X509_CRL_set1_lastUpdate(out.get(), issued.get()) == 1 &&
       X509_CRL_set1_nextUpdate(out.get(), from_now(lives).get()) == 1);
  for (const X509* one : revoked) {
    revoked_ptr entry(X509_REVOKED_new());
    must(X509_REVOKED_set_serialNumber(
             entry.get(), const_cast<ASN1_INTEGER*>(X509_get0_serialNumber(one))) == 1 &&
         X509_REVOKED_set_revocationDate(entry.get(), issued.get()) == 1 &&
         X509_CRL_add0_revoked(out.get(), entry.get()) == 1);
    entry.release();
  }
  must(X509_CRL_sort(out.get()) == 1 && X509_CRL_sign(out.get(), key_.get(), EVP_sha256()) != 0);
  return out;
}

x509_ptr copy(X509* certificate) {
  X509_up_ref(certificate);
  return x509_ptr(certificate);
}

temporary_file::temporary_file() {
  std::string name = std::filesystem::temp_directory_path() / "atls-test-XXXXXX";
  const int fd = ::mkstemp(name.data());
  must(fd >= 0);
  ::close(fd);
  path_ = name;
}

temporary_file::~temporary_file() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

void temporary_file::add(X509* certificate) {
  const bio_ptr out(BIO_new_file(path_.c_str(), "a"));
  must(out && PEM_write_bio_X509(out.get(), certificate) == 1);
}

void temporary_file::add(const tls::crl_ptr& list) {
  const bio_ptr out(BIO_new_file(path_.c_str(), "a"));
  must(out && PEM_write_bio_X509_CRL(out.get(), list.get()) == 1);
}

}  // namespace atls::test
