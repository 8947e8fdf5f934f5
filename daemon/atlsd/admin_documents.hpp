// What the admin endpoint shows, as JSON. No secret is in it.
#pragma once

#include "atlsd/state.hpp"

namespace atls {

/// `why_not_ready` empty: ready.
json status_document(const state::snapshot& now, const std::string& why_not_ready,
                     std::size_t open_connections);

/// The documents as they are in force; of URLs without user and password.
json configuration_document(const state::snapshot& now);

/// What this machine proves itself with.
json attestation_document(const state::snapshot& now);

/// A URL's user and password are struck out; other text is as it was.
std::string without_credentials(const std::string& text);

}  // namespace atls
