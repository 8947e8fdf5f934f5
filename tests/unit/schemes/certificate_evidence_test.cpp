#include "schemes/certificate_evidence.hpp"

#include "core/certificates.hpp"
#include "schemes/sgx/sgx_scheme.hpp"
#include "support/certificate_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

result<certificate_evidence> read(const X509* certificate) {
  return read_certificate_evidence(der_of(certificate), spki_of(certificate).value());
}

template <class Scheme>
std::string outcome(const result<certificate_evidence>& found, const Scheme& scheme) {
  if (!found) {
    return std::string(reason(found.error().code));
  }
  if (found->media_type != scheme.media_type()) {
    return std::string(found->media_type);
  }
  const auto checked = scheme.check(found->evidence, {found->binding, {}});
  return checked ? "ok" : std::string(reason(checked.error().code));
}

}  // namespace

TEST_CASE("published certificates carry SGX Evidence that passes what is checked here",
          "[ra-tls]") {
  for (const auto* name : {"gramine-cert.pem", "intel-sgxsdk-cert.pem"}) {
    CAPTURE(name);
    const auto certificates = certificates_from_pem(read_vector("ra-tls/" + std::string(name)));
    const sgx_scheme debug({.unsafe_debug = true});
    CHECK(outcome(read(certificates.front().get()), debug) == "ok");
    // Both enclaves can be debugged.
    CHECK(outcome(read(certificates.front().get()), sgx_scheme({})) == "sgx_debug");
  }
}

TEST_CASE("quotes in certificates are Evidence of their schemes", "[ra-tls]") {
  const auto key = new_key();
  const auto claims = claims_about(spki_of(key.get()).value());
  const auto carrying = [&](bytes_view quote) {
    return read(
        certificate_with(key.get(), tagged_evidence_oid, tagged_evidence(quote, claims)).get());
  };
  const auto bound = digest("SHA256", claims);
  CHECK(outcome(carrying(tdx_quote_over(bound)), tdx_scheme({})) == "ok");
  CHECK(outcome(carrying(sgx_quote_over(bound)), sgx_scheme({})) == "ok");
  // Quotes about other claims.
  CHECK(outcome(carrying(tdx_quote_over(bytes(32, 1))), tdx_scheme({})) == "report_data_mismatch");
  CHECK(outcome(carrying(sgx_quote_over(bytes(32, 1))), sgx_scheme({})) == "report_data_mismatch");
  CHECK(outcome(carrying(bytes(500)), sgx_scheme({})) == "signature_unsupported");
  CHECK(outcome(carrying(bytes(3)), sgx_scheme({})) == "evidence_malformed");
}

TEST_CASE("of two bindings the one that the quote has is demanded", "[ra-tls]") {
  const auto key = new_key();
  const auto spki = spki_of(key.get()).value();
  const auto report = [&](bytes_view bound_to) {
    const auto quote = sgx_quote_over(bound_to);
    bytes out{1, 0, 0, 0, 2, 0, 0, 0};
    for (std::size_t i = 0; i < 8; ++i) {
      out.push_back(static_cast<std::uint8_t>(quote.size() >> 8 * i));
    }
    append(out, quote);
    return read(certificate_with(key.get(), "1.3.6.1.4.1.311.105.1", out).get());
  };
  auto pem = spki_to_pem(spki);
  pem.push_back('\0');
  CHECK(outcome(report(digest("SHA256", spki)), sgx_scheme({})) == "ok");
  CHECK(outcome(report(digest("SHA256", as_bytes(pem))), sgx_scheme({})) == "ok");
  CHECK(outcome(report(digest("SHA256", bytes(3))), sgx_scheme({})) == "report_data_mismatch");
}

TEST_CASE("a certificate that carries nothing is no Evidence", "[ra-tls]") {
  const auto key = new_key();
  const auto plain = tls::self_signed(key.get(), nullptr).value();
  CHECK(read(plain.get()).error().code == errc::peer_not_attested);
  CHECK(read_certificate_evidence(bytes(3), {}).error().code == errc::evidence_malformed);
}
