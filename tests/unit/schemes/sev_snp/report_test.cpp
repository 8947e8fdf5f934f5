#include "schemes/sev_snp/report.hpp"

#include "schemes/sev_snp/certificate_table.hpp"
#include "schemes/sev_snp/endorsement_key.hpp"
#include "support/vectors.hpp"

#include <catch2/catch.hpp>
#include <openssl/x509.h>

using namespace atls;
using namespace atls::test;

namespace {

bytes vector_bytes(const std::string& name) {
  return read_binary_vector("snp/" + name);
}

snp_report report(const std::string& name) {
  return parse_snp_report(vector_bytes(name)).value();
}

x509_ptr certificate(const std::string& name) {
  const auto der = vector_bytes(name);
  const unsigned char* at = der.data();
  x509_ptr out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  REQUIRE(out);
  return out;
}

std::string reason_of(const result<void>& outcome) {
  return std::string(outcome ? "ok" : reason(outcome.error().code));
}

}  // namespace

TEST_CASE("SNP reports are read", "[snp]") {
  const auto good = report("report-good.bin");
  CHECK(equal(good.measurement, vector_bytes("measurement.bin")));
  CHECK(equal(good.report_data, vector_bytes("report-data.bin")));
  CHECK(good.vmpl == 0);
  CHECK((good.policy & snp_policy::debug) == 0);
  CHECK_FALSE(good.has_migration_agent());
  CHECK((report("report-debug.bin").policy & snp_policy::debug) != 0);
  CHECK(report("report-vmpl2.bin").vmpl == 2);
  CHECK(report("report-vlek.bin").signed_by == snp_signing_key::vlek);
  CHECK(report("report-good-v2.bin").product == snp_product::unknown);
  CHECK(report("report-good-v5.bin").version == 5);
  for (const auto* bad : {"report-reserved-not-zero.bin", "report-policy-bit17-clear.bin"}) {
    const auto outcome = parse_snp_report(vector_bytes(bad));
    REQUIRE(outcome.has_error());
    CHECK(outcome.error().code == errc::evidence_malformed);
  }
  const auto raw = vector_bytes("report-good.bin");
  CHECK(parse_snp_report(bytes_view(raw).first(raw.size() - 1)).has_error());
}

TEST_CASE("SNP reports are signed by the key of their chip and firmware", "[snp]") {
  const auto vcek = read_endorsement_key(certificate("vcek.der").get()).value();
  const auto vlek = read_endorsement_key(certificate("vlek.der").get()).value();
  CHECK(vcek.kind == snp_signing_key::vcek);
  CHECK(vlek.kind == snp_signing_key::vlek);
  for (const auto* name : {"report-good.bin", "report-good-v2.bin", "report-good-v5.bin"}) {
    INFO(name);
    const auto outcome = check_endorsed(report(name), vcek);
    INFO((outcome ? "" : outcome.error().text()));
    CHECK(outcome.has_value());
  }
  CHECK(reason_of(check_endorsed(report("report-vlek.bin"), vlek)) == "ok");
  CHECK(reason_of(check_endorsed(report("report-vlek.bin"), vcek)) == "snp_signature");
  CHECK(reason_of(check_endorsed(report("report-bad-signature.bin"), vcek)) == "snp_signature");
  CHECK(reason_of(check_endorsed(report("report-tcb-not-of-vcek.bin"), vcek)) ==
        "snp_tcb_mismatch");
  CHECK(read_endorsement_key(certificate("ask.der").get()).has_error());
}

TEST_CASE("SNP: a real report of a cloud's machine is signed by its VLEK", "[snp]") {
  const auto vlek = read_endorsement_key(certificate("real-milan-vlek.der").get()).value();
  CHECK(reason_of(check_endorsed(report("real-milan-vlek-report.bin"), vlek)) == "ok");
}

TEST_CASE("SNP certificate tables are read, in PEM and in DER", "[snp]") {
  for (const auto* name : {"auxblob-vcek-der.bin", "auxblob-vcek-pem.bin"}) {
    INFO(name);
    const auto raw = vector_bytes(name);
    const auto found = read_certificate_table(raw).value();
    CHECK(X509_cmp(found.root.get(), certificate("ark.der").get()) == 0);
    CHECK(X509_cmp(found.intermediate.get(), certificate("ask.der").get()) == 0);
    CHECK(X509_cmp(found.vcek.get(), certificate("vcek.der").get()) == 0);
    CHECK_FALSE(found.vlek);
    const auto again = encode_certificate_table(found);
    CHECK(X509_cmp(read_certificate_table(again).value().vcek.get(), found.vcek.get()) == 0);
    for (std::size_t size = 1; size < raw.size(); size += 7) {
      CHECK(read_certificate_table(bytes_view(raw).first(size)).has_error());
    }
  }
  CHECK_FALSE(read_certificate_table({}).value().root);
}
