#include "formats/ra_tls_certificate.hpp"

#include "core/certificates.hpp"
#include "support/certificate_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

constexpr const char* gramine_oid = "0.6.9.42.840.113741.1337.6";
constexpr std::size_t sgx_report_data_at = 48 + 320;

x509_ptr published(const std::string& name) {
  return std::move(certificates_from_pem(read_vector("ra-tls/" + name)).front());
}

result<std::optional<ra_tls_evidence>> read(const X509* certificate) {
  return read_ra_tls_evidence(certificate, spki_of(certificate).value());
}

// Whether the quote has one of the bindings, and zeros.
bool is_bound(const ra_tls_evidence& found) {
  const auto report_data = bytes_view(found.quote).subspan(sgx_report_data_at, 64);
  return std::ranges::any_of(found.bindings, [&](const bytes& one) {
    auto expected = one;
    expected.resize(64);
    return equal(expected, report_data);
  });
}

void remove_extension(X509* from, const char* oid) {
  const std::unique_ptr<ASN1_OBJECT, openssl_deleter<ASN1_OBJECT_free>> name(OBJ_txt2obj(oid, 1));
  const int at = X509_get_ext_by_OBJ(from, name.get(), -1);
  REQUIRE(at >= 0);
  X509_EXTENSION_free(X509_delete_ext(from, at));
}

struct certified {
  pkey_ptr key = new_key();
  bytes spki = spki_of(key.get()).value();

  std::string outcome(const char* oid, bytes_view value) const {
    const auto read_back = read(certificate_with(key.get(), oid, value).get());
    return read_back ? *read_back ? "found" : "none" : std::string(reason(read_back.error().code));
  }
  std::string tagged(bytes_view value) const { return outcome(tagged_evidence_oid, value); }
  std::string claiming(bytes_view claims) const {
    return tagged(tagged_evidence(bytes(3), claims));
  }
};

}  // namespace

TEST_CASE("published certificates carry quotes that name their keys", "[ra-tls]") {
  for (const auto* name : {"gramine-cert.pem", "intel-sgxsdk-cert.pem"}) {
    CAPTURE(name);
    const auto found = read(published(name).get());
    REQUIRE(found.has_value());
    REQUIRE(found->has_value());
    CHECK(is_bound(**found));
  }
}

TEST_CASE("Gramine's own extension counts where there is no other", "[ra-tls]") {
  auto certificate = published("gramine-cert.pem");
  const auto both = read(certificate.get()).value().value();
  remove_extension(certificate.get(), tagged_evidence_oid);
  const auto found = read(certificate.get()).value().value();
  CHECK(found.quote != both.quote);
  CHECK(found.bindings == std::vector<bytes>{digest("SHA256", spki_of(certificate.get()).value())});
  CHECK(is_bound(found));
  remove_extension(certificate.get(), gramine_oid);
  CHECK_FALSE(read(certificate.get()).value().has_value());
}

TEST_CASE("a certificate without such an extension carries nothing", "[ra-tls]") {
  const certified of;
  CHECK(of.outcome("1.2.3.4", bytes(3)) == "none");
  CHECK(of.outcome("1.2.840.113741.1337.6", bytes(3)) == "found");
}

TEST_CASE("claims must be about the certificate's key, by a hash that is known", "[ra-tls]") {
  const certified of;
  CHECK(of.claiming(claims_about(of.spki)) == "found");
  CHECK(of.claiming(claims_about(of.spki, 7, "SHA384")) == "found");
  CHECK(of.claiming(claims_about(of.spki, 8, "SHA512")) == "found");
  CHECK(of.claiming(claims_about(of.spki, 7)) == "certificate_key_mismatch");
  CHECK(of.claiming(claims_about(of.spki, 0)) == "evidence_malformed");
  const auto other = spki_of(new_key().get()).value();
  CHECK(of.claiming(claims_about(other)) == "certificate_key_mismatch");
  CHECK(of.claiming(claims_about(other, 7, "SHA384")) == "certificate_key_mismatch");
}

TEST_CASE("the quote is bound to its claims, whatever they say", "[ra-tls]") {
  const certified of;
  const auto claims = claims_about(of.spki);
  const auto certificate =
      certificate_with(of.key.get(), tagged_evidence_oid, tagged_evidence(bytes(500, 1), claims));
  const auto found = read(certificate.get()).value().value();
  CHECK(found.quote == bytes(500, 1));
  CHECK(found.bindings == std::vector<bytes>{digest("SHA256", claims)});
}

TEST_CASE("another structure in a certificate is malformed", "[ra-tls]") {
  const certified of;
  const auto good = tagged_evidence(bytes(3), claims_about(of.spki));
  CHECK(of.tagged(good) == "found");
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(of.tagged(bytes_view(good).first(size)) == "evidence_malformed");
  }
  auto longer = good;
  longer.push_back(0);
  CHECK(of.tagged(longer) == "evidence_malformed");
  CHECK(of.tagged(tagged_evidence(bytes(3), claims_about(of.spki), 60001)) == "evidence_malformed");
  CHECK(of.tagged(bytes(ra_tls_evidence::longest_bytes + 1)) == "evidence_malformed");
  CHECK(of.claiming({}) == "evidence_malformed");
  const auto claims = [](const std::function<void(cbor::writer&)>& hash) {
    cbor::writer out;
    out.map(1).text("pubkey-hash");
    hash(out);
    return std::move(out).data();
  };
  CHECK(of.claiming(cbor::writer().map(0).data()) == "evidence_malformed");
  CHECK(of.claiming(claims([](auto& out) { out.text("x"); })) == "evidence_malformed");
  for (const auto& pair : {cbor::writer().array(0).data(),
                           cbor::writer().array(2).unsigned_integer(1).text("x").data(),
                           cbor::writer().array(2).text("1").byte_string({}).data()}) {
    CHECK(of.claiming(claims([&](auto& out) { out.byte_string(pair); })) == "evidence_malformed");
  }
}

TEST_CASE("an extension that stands there twice is malformed", "[ra-tls]") {
  const certified of;
  const auto value = tagged_evidence(bytes(3), claims_about(of.spki));
  const auto certificate = certificate_with(of.key.get(), tagged_evidence_oid, value);
  add_extension(certificate.get(), tagged_evidence_oid, value);
  CHECK(read(certificate.get()).error().code == errc::evidence_malformed);
}

TEST_CASE("what is wrong in one extension is not looked for in another", "[ra-tls]") {
  const certified of;
  const auto certificate = certificate_with(of.key.get(), tagged_evidence_oid, bytes(3));
  add_extension(certificate.get(), gramine_oid, bytes(3));
  CHECK(read(certificate.get()).error().code == errc::evidence_malformed);
}

TEST_CASE("Open Enclave's reports are bound to the key in PEM, EGo's to the key in DER",
          "[ra-tls]") {
  const certified of;
  const bytes report{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9};
  for (const auto* oid : {"1.3.6.1.4.1.311.105.1", "1.2.840.113556.10.1.1"}) {
    const auto found = read(certificate_with(of.key.get(), oid, report).get()).value().value();
    CHECK(found.quote == bytes{7, 8, 9});
    auto pem = spki_to_pem(of.spki);
    pem.push_back('\0');
    CHECK(found.bindings ==
          std::vector<bytes>{digest("SHA256", as_bytes(pem)), digest("SHA256", of.spki)});
    // Its header.
    for (const std::size_t at : {0U, 4U, 8U, 15U}) {
      auto changed = report;
      changed[at] ^= 0x10;
      CHECK(of.outcome(oid, changed) == "evidence_malformed");
    }
    CHECK(of.outcome(oid, bytes_view(report).first(15)) == "evidence_malformed");
  }
}
