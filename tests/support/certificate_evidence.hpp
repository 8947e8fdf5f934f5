// Certificates that carry Evidence (RA-TLS), of quotes that the test keys of tests/vectors sign.
#pragma once

#include "support/cvm_evidence.hpp"
#include "support/software_tpm.hpp"
#include "support/tagged_evidence.hpp"
#include "tls/certificates.hpp"

namespace atls::test {

inline constexpr const char* tagged_evidence_oid = "2.23.133.5.4.9";

inline void add_extension(X509* to, const char* oid, bytes_view value) {
  const std::unique_ptr<ASN1_OBJECT, openssl_deleter<ASN1_OBJECT_free>> name(OBJ_txt2obj(oid, 1));
  const std::unique_ptr<ASN1_OCTET_STRING, openssl_deleter<ASN1_OCTET_STRING_free>> content(
      ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(content.get(), value.data(), static_cast<int>(value.size()));
  const std::unique_ptr<X509_EXTENSION, openssl_deleter<X509_EXTENSION_free>> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, name.get(), 0, content.get()));
  X509_add_ext(to, extension.get(), -1);
}

/// Self-signed.
inline x509_ptr certificate_with(EVP_PKEY* key, const char* oid, bytes_view value) {
  auto out = tls::self_signed(key, nullptr).value();
  add_extension(out.get(), oid, value);
  X509_sign(out.get(), key, EVP_sha256());
  return out;
}

inline bytes sgx_quote_over(
    bytes_view report_data, const std::function<void(bytes&)>& change = [](bytes&) {}) {
  return changed_report("sgx", "sgx/quote-v3-good.bin", "tdx/keys/attestation.key.pem", change,
                        report_data);
}
inline bytes tdx_quote_over(
    bytes_view report_data, const std::function<void(bytes&)>& change = [](bytes&) {}) {
  return changed_report("tdx_guest", "tdx/quote-v4-good.bin", "tdx/keys/attestation.key.pem",
                        change, report_data);
}

/// As an enclave makes it for its key.
inline x509_ptr sgx_certificate(
    EVP_PKEY* key, const std::function<void(bytes&)>& change = [](bytes&) {}) {
  const auto claims = claims_about(spki_of(key).value());
  return certificate_with(
      key, tagged_evidence_oid,
      tagged_evidence(sgx_quote_over(digest("SHA256", claims), change), claims));
}

}  // namespace atls::test
