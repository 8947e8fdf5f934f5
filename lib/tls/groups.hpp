// Key exchange groups: which can be had, and which are taken by default.
//
// A server answers a hello before it knows anything of its sender, so a group must cost it about
// what a signature does. Finite-field groups do not: a hello of 1.2 kB with ffdhe8192 takes a
// hundred times the CPU of another, so they cannot be configured at all.
#pragma once

#include "core/error.hpp"

#include <openssl/ssl.h>

namespace atls::tls {

/// `list`: OpenSSL's names, best first, joined by colons. Given back if each of them may be used
/// and libssl knows it. config_invalid.
result<std::string> parse_groups(const std::string& list);

/// `list` empty: X25519, P-256 and P-384, behind X25519MLKEM768 where libssl has it (3.5). Throws
/// atls::error.
void use_groups(SSL_CTX* ctx, const std::string& list);

}  // namespace atls::tls
