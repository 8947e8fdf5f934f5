// What a peer's certificate is worth by itself; attestation is the appraiser's business.
#pragma once

#include "tls/resumption.hpp"
#include "tls/settings.hpp"

#include <openssl/x509_vfy.h>

namespace atls::tls {

/// reflected_key for a peer that holds this side's own key up to it: the binder does not name the
/// role.
result<void> check_not_reflected(const settings& s, bytes_view leaf_spki);

/// The chain up to a trust anchor, and the name. What was found goes to `to`. Leaves in `store` the
/// X509_V_ERR of a chain that is refused. pki_untrusted, pki_expired, pki_revoked,
/// pki_name_mismatch.
result<void> judge_chain(const settings& s, X509_STORE_CTX* store, judged_peer& to);

}  // namespace atls::tls
