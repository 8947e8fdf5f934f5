#include "formats/tpm_structures.hpp"

#include "core/openssl.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

TEST_CASE("PCR selections are read and written", "[evidence]") {
  const auto pcrs = parse_pcr_selection("sha256:0,1,7").value();
  CHECK(pcrs.bank == tpm_hash::sha256);
  CHECK(pcrs.mask == 0x83);
  CHECK(to_string(pcrs) == "sha256:0,1,7");
  CHECK(parse_pcr_selection("sha384:23")->mask == 1u << 23);
  for (const auto* bad : {"", "sha256", "sha1:0", "sha256:", "sha256:24", "sha256:0,", "sha256:-1",
                          "sha256:0 1", "md5:0"}) {
    INFO(bad);
    CHECK(parse_pcr_selection(bad).error().code == errc::config_invalid);
  }
}

TEST_CASE("TPM structures cut short or followed by bytes are refused", "[evidence]") {
  const evidence_maker maker;
  const auto evidence = maker.make();
  const auto every_prefix_fails = [](const bytes& good, auto parse) {
    REQUIRE(parse(good).has_value());
    for (std::size_t size = 0; size < good.size(); ++size) {
      REQUIRE(parse(bytes_view(good).first(size)).has_error());
    }
    auto longer = good;
    longer.push_back(0);
    CHECK(parse(longer).has_error());
  };
  every_prefix_fails(evidence.kat.cert_info, parse_tpm_attest);
  every_prefix_fails(evidence.pat.attest_info, parse_tpm_attest);
  every_prefix_fails(evidence.kat.signature, [](bytes_view in) { return parse_tpm_signature(in); });
  every_prefix_fails(evidence.kat.public_area, [](bytes_view in) { return parse_tpm_public(in); });
}

TEST_CASE("signatures other than ECDSA and keys other than ECC are unsupported", "[evidence]") {
  auto signature = evidence_maker().make().kat.signature;
  signature[1] = 0x14;  // RSASSA
  CHECK(parse_tpm_signature(signature).has_error());
  auto key = evidence_maker().make().kat.public_area;
  // TPMT_PUBLIC: type, nameAlg, attributes, authPolicy, then symmetric, scheme, curve.
  const std::size_t policy_size = static_cast<std::size_t>(key[8]) << 8 | key[9];
  key[10 + policy_size + 5] = 0x05;  // P-521
  CHECK(parse_tpm_public(key, errc::kat_key_unsupported).error().code == errc::kat_key_unsupported);
}

TEST_CASE("a key's curve is told by its SubjectPublicKeyInfo", "[evidence]") {
  for (const auto* name : {"P-256", "P-384"}) {
    CAPTURE(name);
    auto spki = spki_of(pkey_ptr(EVP_EC_gen(name)).get()).value();
    CHECK(curve_of(spki) == name);
    CHECK_FALSE(curve_of(bytes_view(spki).first(spki.size() - 1)).has_value());
    spki[20] ^= 1;
    CHECK_FALSE(curve_of(spki).has_value());
  }
  CHECK_FALSE(curve_of(spki_of(pkey_ptr(EVP_EC_gen("P-521")).get()).value()).has_value());
  CHECK_FALSE(curve_of({}).has_value());
}

TEST_CASE("short coordinates are padded", "[evidence]") {
  const evidence_maker maker;
  const bytes good = encode_public(maker.tik, maker.attributes);
  bytes shorter = good;
  // Say that x has 31 bytes by dropping its first: the point differs, the size of the SPKI does
  // not.
  const std::size_t x_size_at = good.size() - 68;
  shorter[x_size_at + 1] = 31;
  shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(x_size_at) + 2);
  const auto parsed = parse_tpm_public(shorter).value();
  CHECK(parsed.spki.size() == spki(maker.tik).size());
  CHECK(parsed.spki[27] == 0);
}

TEST_CASE("an RSASSA signature with SHA-256 is read, and no other", "[tpm]") {
  const auto of = [](const char* hex) {
    const auto read = parse_tpm_rsassa(from_hex(hex).value(), errc::signature_unsupported);
    return read ? to_hex(*read) : std::string(reason(read.error().code));
  };
  CHECK(of("0014000b0002aabb") == "aabb");
  CHECK(of("001400040002aabb") == "signature_unsupported");
  CHECK(of("0016000b0002aabb") == "signature_unsupported");
  CHECK(of("0014000b0002aabb00") == "evidence_malformed");
  CHECK(of("0014000b0003aabb") == "evidence_malformed");
}
