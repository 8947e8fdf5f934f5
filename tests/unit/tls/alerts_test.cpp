#include "tls/alerts.hpp"

#include <catch2/catch.hpp>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

using namespace atls;

TEST_CASE("refusals map to the alerts of the table", "[tls]") {
  CHECK(tls::alert_for(errc::extension_malformed) == SSL_AD_DECODE_ERROR);
  CHECK(tls::alert_for(errc::no_common_attestation_scheme) == SSL_AD_HANDSHAKE_FAILURE);
  CHECK(tls::alert_for(errc::unsolicited_attestation) == SSL_AD_UNSUPPORTED_EXTENSION);
  CHECK(tls::alert_for(errc::tpm_timeout) == SSL_AD_INTERNAL_ERROR);
}

TEST_CASE("no reason of a refused certificate maps to success", "[tls]") {
  for (std::size_t i = 1; i <= reason_count(); ++i) {
    CHECK(tls::verify_error_for(static_cast<errc>(i)) != X509_V_OK);
  }
  CHECK(tls::verify_error_for(errc::verifier_timeout) !=
        tls::verify_error_for(errc::ear_signature));
}
