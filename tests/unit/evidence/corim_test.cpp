#include "evidence/corim.hpp"

#include "evidence/parsec_tpm.hpp"
#include "support/software_tpm.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;

namespace {

result<parsec_tpm_endorsements> read(const std::string& name) {
  const auto parsed = parse_corim(read_binary_vector(name));
  return parsed ? parsec_tpm_endorsements::from_corim(*parsed) : parsed.error();
}

}  // namespace

TEST_CASE("the published PARSEC_TPM endorsements", "[evidence][vectors]") {
  ATLS_NEED_VECTORS();
  const auto good = read("parsec-tpm/corim-valid.cbor").value();
  REQUIRE(good.trust_anchors.size() == 1);
  REQUIRE(good.references.size() == 1);
  CHECK(good.trust_anchors[0].class_id == good.references[0].class_id);
  CHECK(good.references[0].digests.size() == 6);  // PCR 0 to 2, SHA-256 and SHA-384
  for (const auto* bad : {"bad-instance", "bad-multiple-keys", "bad-no-class-id", "bad-no-class",
                          "bad-no-digests", "bad-no-pcr"}) {
    INFO(bad);
    CHECK(read(std::string("parsec-tpm/corim-") + bad + ".cbor").error().code ==
          errc::corim_malformed);
  }
  CHECK(read("parsec-tpm/legacy-corim-trustanchor.cbor").error().code == errc::corim_malformed);
}

TEST_CASE("published CoRIMs of other kinds decode", "[evidence][vectors]") {
  ATLS_NEED_VECTORS();
  const auto simple = parse_corim(read_binary_vector("corim/corim-1.cbor")).value();
  CHECK(simple.id == "284e6c3e-5d9f-4f6b-851f-5a4247f243a7");
  CHECK(simple.comids.size() == 1);
  CHECK(parsec_tpm_endorsements::from_corim(simple).has_error());  // of no profile
  CHECK(parse_corim(read_binary_vector("corim/unsigned-good-corim.cbor")).has_value());

  const auto signed_one =
      parse_unverified_signed_corim(read_binary_vector("corim/signed-good-corim.cbor")).value();
  CHECK(signed_one.algorithm == -7);
  CHECK(signed_one.content_type == "application/rim+cbor");
  CHECK(as_text(signed_one.kid) == "1");
}

TEST_CASE("endorsements survive both of their forms", "[evidence]") {
  const auto ak = new_key();
  parsec_tpm_endorsements made;
  made.trust_anchors.push_back({bytes(16, 3), kid_of(spki(ak)), spki(ak)});
  made.references.push_back({bytes(16, 3), {}});
  for (unsigned pcr = 0; pcr < 8; ++pcr) {
    made.references[0].digests[{pcr, tpm_hash::sha256}] = bytes(32, static_cast<std::uint8_t>(pcr));
  }
  using form = parsec_tpm_endorsements::instance_form;
  for (const auto f : {form::tagged_bytes, form::ueid}) {
    const auto read_back =
        parsec_tpm_endorsements::from_corim(parse_corim(made.encode(f)).value()).value();
    CHECK(read_back.trust_anchors == made.trust_anchors);
    CHECK(read_back.references == made.references);
  }
  CHECK(made.encode(form::ueid) != made.encode(form::tagged_bytes));
  CHECK(made.encode(form::ueid) == made.encode(form::ueid));
}

TEST_CASE("UUIDs", "[evidence]") {
  const auto id = parse_uuid("284e6c3e-5d9f-4f6b-851f-5a4247f243a7").value();
  CHECK(format_uuid(id) == "284e6c3e-5d9f-4f6b-851f-5a4247f243a7");
  CHECK_FALSE(parse_uuid("284e6c3e5d9f-4f6b-851f-5a4247f243a7x"));
  CHECK_FALSE(parse_uuid(""));
}
