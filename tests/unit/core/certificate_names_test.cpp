#include "core/certificate_names.hpp"

#include "support/pki.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

bool is_for(const char* alternatives, const std::string& name, const char* subject = "somebody") {
  const authority ca;
  const auto key = new_key();
  const auto certificate =
      ca.issue(key.get(), {.common_name = subject, .alternatives = alternatives});
  return is_certificate_for(certificate.get(), name);
}

}  // namespace

TEST_CASE("a certificate is for its subject alternative names", "[core]") {
  CHECK(is_for("DNS:a.test,DNS:b.test", "b.test"));
  CHECK(is_for("DNS:*.a.test", "b.a.test"));
  CHECK(is_for("IP:192.0.2.1", "192.0.2.1"));
  CHECK(is_for("IP:2001:db8::1", "2001:db8:0::1"));
  CHECK(is_for("URI:spiffe://a.test/b", "spiffe://a.test/b"));
  CHECK_FALSE(is_for("DNS:a.test", "b.test"));
  CHECK_FALSE(is_for("DNS:*.a.test", "c.b.a.test"));
  CHECK_FALSE(is_for("DNS:b*.a.test", "bc.a.test"));
  CHECK_FALSE(is_for("URI:spiffe://a.test/b", "spiffe://a.test/b/c"));
}

TEST_CASE("a certificate is not for what its subject says", "[core]") {
  CHECK_FALSE(is_for("", "a.test", "a.test"));
  CHECK_FALSE(is_for("URI:spiffe://b.test/c", "a.test", "a.test"));
  CHECK_FALSE(is_for("IP:192.0.2.1", "a.test", "a.test"));
  CHECK_FALSE(is_for("", "192.0.2.1", "192.0.2.1"));
}

TEST_CASE("names of different kinds do not match", "[core]") {
  CHECK_FALSE(is_for("DNS:192.0.2.1", "192.0.2.1"));
  CHECK_FALSE(is_for("URI:a.test", "a.test"));
  CHECK_FALSE(is_for("DNS:spiffe\\://a.test/b", "spiffe://a.test/b"));
}
