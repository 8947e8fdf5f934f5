// How a refusal looks to the peer. libssl 3.0 cannot send the draft's own alerts, so reasons map to
// standard ones: an extension callback names its alert, a verify callback an X509_V_ERR from which
// libssl derives one. The table stands in ARCHITECTURE.md.
#pragma once

#include "core/error.hpp"

namespace atls::tls {

/// SSL_AD_* for a reason found in an extension callback.
int alert_for(errc code) noexcept;

/// X509_V_ERR_* for a reason found in the certificate verify callback: our own incapacity becomes
/// internal_error, missing attestation certificate_unknown, refused attestation bad_certificate.
int verify_error_for(errc code) noexcept;

}  // namespace atls::tls
