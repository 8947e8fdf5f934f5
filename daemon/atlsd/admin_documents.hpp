// What the admin endpoint shows, as JSON. No secret is in it.
#pragma once

#include "atlsd/state.hpp"

namespace atls {

/// `why_not_ready` empty: ready.
json status_document(const state::snapshot& now, const std::string& why_not_ready,
                     std::size_t open_connections);

/// The documents as they are in force. Secrets are in files that they name.
json configuration_document(const state::snapshot& now);

/// What this machine proves itself with.
json attestation_document(const state::snapshot& now);

}  // namespace atls
