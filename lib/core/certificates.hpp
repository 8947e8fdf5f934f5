// X.509 certificates, in DER and in PEM.
#pragma once

#include "core/openssl.hpp"

namespace atls {

bytes der_of(const X509* certificate);
/// With its last newline.
std::string pem_of(const X509* certificate);

/// Null if it is not exactly one.
x509_ptr certificate_from_der(bytes_view der);

/// All that stand in a text, in their order; what stands between them is skipped. Of none OpenSSL's
/// error queue says why.
std::vector<x509_ptr> certificates_from_pem(std::string_view text, OSSL_LIB_CTX* library = nullptr);

}  // namespace atls
