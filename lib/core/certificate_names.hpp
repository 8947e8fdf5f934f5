// Whom a certificate is for.
#pragma once

#include "core/openssl.hpp"

namespace atls {

/// Whether one of its subject alternative names is `name`: an IP address, a URI such as
/// spiffe://..., or else a DNS name, where the certificate's may have "*" as first label (RFC 9525
/// section 6.3). Names of different kinds do not match, and the subject is not looked at: whoever
/// may issue nothing but other alternative names could write any name there.
bool is_certificate_for(X509* certificate, const std::string& name);

}  // namespace atls
