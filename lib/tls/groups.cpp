#include "tls/groups.hpp"

#include "core/openssl.hpp"
#include "core/text.hpp"
#include "tls/context.hpp"

#include <algorithm>

namespace atls::tls {
namespace {

// libssl's second names of curves are good as well.
constexpr std::string_view usable[] = {
    "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519", "X448",
    "P-256",          "prime256v1",        "secp256r1",          "P-384",  "secp384r1",
    "P-521",          "secp521r1"};

// "*": a client sends a key share of it at once, also to servers that know no hybrids.
constexpr const char* groups_with_hybrid = "*X25519MLKEM768:*X25519:P-256:P-384";
constexpr const char* groups_without = "X25519:P-256:P-384";

bool is_known_to_libssl(const char* list) {
  const ssl_ctx_ptr probe(SSL_CTX_new(TLS_method()));
  const bool is_known = probe && SSL_CTX_set1_groups_list(probe.get(), list) == 1;
  (void)openssl_errors();
  return is_known;
}

const char* default_groups() {
  static const char* const best =
      is_known_to_libssl(groups_with_hybrid) ? groups_with_hybrid : groups_without;
  return best;
}

}  // namespace

result<std::string> parse_groups(const std::string& list) {
  for (const auto name : split(list, ':')) {
    if (std::ranges::find(usable, name) == std::end(usable)) {
      return failure(errc::config_invalid,
                     "found \"" + std::string(name) +
                         "\", expected some of X25519, X448, P-256, P-384, P-521 and, with OpenSSL "
                         "3.5, X25519MLKEM768, SecP256r1MLKEM768, SecP384r1MLKEM1024, joined by "
                         "\":\"; others cost a server too much before it knows its peer");
    }
  }
  if (!is_known_to_libssl(list.c_str())) {
    return failure(errc::config_invalid,
                   "found \"" + list + "\", of which this OpenSSL does not know all");
  }
  return list;
}

void use_groups(SSL_CTX* ctx, const std::string& list) {
  const auto groups = list.empty() ? default_groups() : parse_groups(list).value();
  if (SSL_CTX_set1_groups_list(ctx, groups.c_str()) != 1) {
    throw error({errc::internal, "key exchange groups: " + openssl_errors()});
  }
}

}  // namespace atls::tls
