#include "core/certificate_names.hpp"

#include <openssl/x509v3.h>

namespace atls {
namespace {

using general_names_ptr = std::unique_ptr<GENERAL_NAMES, openssl_deleter<GENERAL_NAMES_free>>;
using octets_ptr = std::unique_ptr<ASN1_OCTET_STRING, openssl_deleter<ASN1_OCTET_STRING_free>>;

std::string_view text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

bool has_uri(const X509* certificate, std::string_view uri) {
  const general_names_ptr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type == GEN_URI && text_of(one->d.uniformResourceIdentifier) == uri) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool is_certificate_for(X509* certificate, const std::string& name) {
  if (name.find("://") != std::string::npos) {
    return has_uri(certificate, name);
  }
  if (const octets_ptr address(a2i_IPADDRESS(name.c_str())); address) {
    return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  }
  constexpr unsigned dns_names_only =
      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  return X509_check_host(certificate, name.data(), name.size(), dns_names_only, nullptr) == 1;
}

}  // namespace atls
