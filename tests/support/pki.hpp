// A certificate authority in memory, and files of what it makes.
#pragma once

#include "core/openssl.hpp"
#include "tls/certificates.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace atls::test {

/// What a certificate says; without `alternatives` it has only its subject.
struct certificate_request {
  std::string common_name = "somebody";
  /// As in openssl's x509v3_config(5): "DNS:a.test,IP:127.0.0.1".
  std::string alternatives;
  std::chrono::seconds lives{3600};
  bool is_authority = false;
};

class authority {
 public:
  /// A trust anchor.
  explicit authority(const std::string& name = "test CA");
  /// One that `above` vouches for.
  authority(const std::string& name, const authority& above);

  x509_ptr issue(EVP_PKEY* key, const certificate_request& request) const;
  /// Of these certificates; current for `lives` from now.
  tls::crl_ptr revoke(std::initializer_list<const X509*> revoked,
                      std::chrono::seconds lives = std::chrono::hours(1)) const;
  X509* certificate() const noexcept { return certificate_.get(); }

 private:
  pkey_ptr key_;
  x509_ptr certificate_;
};

x509_ptr copy(X509* certificate);

/// A file that is gone with this.
class temporary_file {
 public:
  temporary_file();
  explicit temporary_file(X509* certificate) : temporary_file() { add(certificate); }
  explicit temporary_file(const tls::crl_ptr& list) : temporary_file() { add(list); }
  ~temporary_file();
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;

  void add(X509* certificate);
  void add(const tls::crl_ptr& list);
  std::string name() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace atls::test
