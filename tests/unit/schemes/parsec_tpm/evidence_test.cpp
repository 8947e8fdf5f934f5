#include "schemes/parsec_tpm/evidence.hpp"

#include "core/openssl.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"
#include "support/software_tpm.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;

namespace {

result<parsec_tpm_evidence> read_json_vector(const std::string& name) {
  return parsec_tpm_evidence::from_json(
      parse_json(read_vector(name), errc::evidence_malformed).value());
}

}  // namespace

TEST_CASE("the published PARSEC_TPM evidence decodes to what its description says",
          "[evidence][vectors]") {
  const auto evidence =
      parsec_tpm_evidence::decode(read_binary_vector("parsec-tpm/evidence-valid.cbor")).value();
  CHECK(evidence.kat.kid == evidence.pat.kid);
  CHECK(to_hex(evidence.kat.kid).starts_with("0188"));
  CHECK(to_hex(evidence.kat.kid).ends_with("210c"));

  const auto kat = parse_tpm_attest(evidence.kat.cert_info).value();
  const auto pat = parse_tpm_attest(evidence.pat.attest_info).value();
  CHECK(to_hex(kat.extra_data) == "deadbeefdeadbeef");
  CHECK(kat.extra_data == pat.extra_data);
  CHECK(kat.magic == tpm_attest::generated_by_tpm);
  const auto& quote = std::get<tpm_attest::quote>(pat.attested);
  REQUIRE(quote.selections.size() == 1);
  CHECK(to_string(quote.selections[0]) == "sha256:0,1,2");
  CHECK(to_hex(quote.pcr_digest).starts_with("2ea9ab91"));
  CHECK(quote.pcr_digest == pcr_digest(tpm_hash::sha256, std::vector<bytes>(3, bytes(32, 0))));

  bytes name{0, 0x0b};
  append(name, digest("SHA256", evidence.kat.public_area));
  CHECK(std::get<tpm_attest::certify>(kat.attested).name == name);

  // Both signatures, with the trust anchor of the published endorsements.
  const auto endorsements =
      parsec_tpm_endorsements::from_corim(
          parse_corim(read_binary_vector("parsec-tpm/corim-valid.cbor")).value())
          .value();
  REQUIRE(endorsements.trust_anchors.size() == 1);
  CHECK(endorsements.trust_anchors[0].kid == evidence.kat.kid);
  const auto ak = key_from_spki(endorsements.trust_anchors[0].ak_spki).value();
  const auto verifies = [&](const bytes& signature, const bytes& message) {
    const bytes der = parse_tpm_signature(signature)->der();
    const md_ctx_ptr context(EVP_MD_CTX_new());
    return EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, ak.get(),
                                   nullptr) == 1 &&
           EVP_DigestVerify(context.get(), der.data(), der.size(), message.data(),
                            message.size()) == 1;
  };
  CHECK(verifies(evidence.kat.signature, evidence.kat.cert_info));
  CHECK(verifies(evidence.pat.signature, evidence.pat.attest_info));
  CHECK_FALSE(verifies(evidence.pat.signature, evidence.kat.cert_info));
}

TEST_CASE("published PARSEC_TPM evidence in JSON, good and bad", "[evidence][vectors]") {
  const auto good = read_json_vector("parsec-tpm/evidence-b.json").value();
  const auto kat = parse_tpm_attest(good.kat.cert_info).value();
  CHECK(as_text(kat.extra_data) == "0000");
  bytes name{0, 0x0b};
  append(name, digest("SHA256", good.kat.public_area));
  CHECK(std::get<tpm_attest::certify>(kat.attested).name == name);
  CHECK(parsec_tpm_evidence::from_json(good.to_json())->kat.public_area == good.kat.public_area);

  CHECK(read_json_vector("parsec-tpm/evidence-missing-kat.json").has_error());
  CHECK(read_json_vector("parsec-tpm/evidence-invalid-pat.json").has_error());
  CHECK(read_json_vector("parsec-tpm/evidence-invalid-kat.json").has_error());
  CHECK(parsec_tpm_evidence::decode(read_binary_vector("parsec-tpm/evidence-bad-certinfo.cbor"))
            .has_error());
}

TEST_CASE("evidence survives its own encoding", "[evidence]") {
  const evidence_maker maker;
  const auto made = maker.make();
  const auto read = parsec_tpm_evidence::decode(made.encode()).value();
  CHECK(read.kat.public_area == made.kat.public_area);
  CHECK(read.pat.signature == made.pat.signature);
  CHECK(parse_tpm_public(read.kat.public_area)->spki == spki(maker.tik));
}

TEST_CASE("evidence with a byte too many or too few is refused", "[evidence]") {
  const auto good = evidence_maker().make().encode();
  REQUIRE(parsec_tpm_evidence::decode(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    REQUIRE(parsec_tpm_evidence::decode(bytes_view(good).first(size)).has_error());
  }
  auto longer = good;
  longer.push_back(0);
  CHECK(parsec_tpm_evidence::decode(longer).has_error());
}

TEST_CASE("a kid must be a UEID", "[evidence]") {
  for (const auto& [kid, good] : {std::pair{bytes(33, 1), true},
                                  {bytes(17, 1), true},
                                  {bytes(32, 1), false},
                                  {bytes{1}, false},
                                  {bytes(9, 2), true},
                                  {bytes(15, 3), true},
                                  {bytes(33, 4), false}}) {
    evidence_maker maker;
    maker.kat_kid = maker.pat_kid = kid;
    const auto read = parsec_tpm_evidence::decode(maker.make().encode());
    CHECK(read.has_value() == good);
    if (!good) {
      CHECK(read.error().code == errc::kid_malformed);
    }
  }
}
