#include "tls/alerts.hpp"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace atls::tls {

int alert_for(errc code) noexcept {
  switch (code) {
    case errc::extension_malformed:
      return SSL_AD_DECODE_ERROR;
    case errc::extension_illegal:
      return SSL_AD_ILLEGAL_PARAMETER;
    case errc::unsolicited_attestation:
      return SSL_AD_UNSUPPORTED_EXTENSION;
    case errc::no_common_attestation_scheme:
    case errc::peer_not_attested:
      return SSL_AD_HANDSHAKE_FAILURE;
    default:
      return SSL_AD_INTERNAL_ERROR;
  }
}

int verify_error_for(errc code) noexcept {
  switch (code) {
    case errc::peer_not_attested:
      // certificate_unknown
      return X509_V_ERR_OCSP_VERIFY_NEEDED;
    case errc::pki_name_mismatch:
      return X509_V_ERR_HOSTNAME_MISMATCH;
    case errc::verifier_unavailable:
    case errc::verifier_timeout:
    case errc::verifier_overloaded:
    case errc::verifier_protocol:
    case errc::verifier_rejected:
    case errc::verifier_nonce:
    case errc::verifier_evidence_type:
    case errc::cancelled:
    case errc::internal:
      return X509_V_ERR_UNSPECIFIED;
    default:
      return X509_V_ERR_CERT_REJECTED;
  }
}

}  // namespace atls::tls
