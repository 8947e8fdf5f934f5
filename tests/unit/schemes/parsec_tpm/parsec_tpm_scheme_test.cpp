// The mutation table of the local appraisal: every check is turned red by its own tampering, and
// says its own reason.
#include "schemes/parsec_tpm/parsec_tpm_scheme.hpp"

#include "schemes/parsec_tpm/facts.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

struct situation {
  evidence_maker maker;
  pcr_selection required{tpm_hash::sha256, 0xff};

  parsec_tpm_scheme scheme() const { return parsec_tpm_scheme({.required_pcrs = required}); }
  result<statement> check(const bytes& evidence) const {
    return scheme().check(evidence, {maker.binder, leaf_});
  }
  result<statement> check() const { return check(maker.make().encode()); }
  const bytes leaf_ = spki(maker.tik);
};

struct mutation {
  const char* what;
  errc reason;
  void (*apply)(situation&);
};

const mutation mutations[] = {
    {"KAT bound to another handshake", errc::kat_nonce_mismatch,
     [](situation& s) { s.maker.kat.extra_data[0] ^= 1; }},
    {"PAT bound to another handshake", errc::pat_nonce_mismatch,
     [](situation& s) { s.maker.pat.extra_data[31] ^= 1; }},
    {"KAT with a prefix of the binder", errc::kat_nonce_mismatch,
     [](situation& s) { s.maker.kat.extra_data.pop_back(); }},
    {"PAT without a nonce", errc::pat_nonce_mismatch,
     [](situation& s) { s.maker.pat.extra_data.clear(); }},
    {"KAT magic", errc::kat_magic, [](situation& s) { s.maker.kat.magic = 0xff544348; }},
    {"PAT magic", errc::pat_magic, [](situation& s) { s.maker.pat.magic = 0; }},
    {"a quote as KAT", errc::kat_type,
     [](situation& s) {
       const auto name = s.maker.kat.name;
       s.maker.kat = s.maker.pat;
       s.maker.kat.name = name;
     }},
    {"a certification as PAT", errc::pat_type, [](situation& s) { s.maker.pat = s.maker.kat; }},
    {"another certified name", errc::kat_name_mismatch,
     [](situation& s) { s.maker.kat.name[5] ^= 1; }},
    {"a name cut short", errc::kat_name_mismatch, [](situation& s) { s.maker.kat.name.resize(2); }},
    {"another key in the public area", errc::kat_key_mismatch,
     [](situation& s) {
       s.maker.tik = new_key();
       s.maker.derive();
     }},
    {"fixedTPM clear", errc::kat_key_attributes,
     [](situation& s) {
       s.maker.attributes &= ~tpm_attribute::fixed_tpm;
       s.maker.derive();
     }},
    {"fixedParent clear", errc::kat_key_attributes,
     [](situation& s) {
       s.maker.attributes &= ~tpm_attribute::fixed_parent;
       s.maker.derive();
     }},
    {"sensitiveDataOrigin clear", errc::kat_key_attributes,
     [](situation& s) {
       s.maker.attributes &= ~tpm_attribute::sensitive_data_origin;
       s.maker.derive();
     }},
    {"sign clear", errc::kat_key_attributes,
     [](situation& s) {
       s.maker.attributes &= ~tpm_attribute::sign;
       s.maker.derive();
     }},
    {"decrypt set", errc::kat_key_attributes,
     [](situation& s) {
       s.maker.attributes |= tpm_attribute::decrypt;
       s.maker.derive();
     }},
    {"two PCR selections", errc::pat_selection,
     [](situation& s) {
       s.maker.pat.selections.push_back({tpm_hash::sha384, 1});
     }},
    {"no PCR selection", errc::pat_selection, [](situation& s) { s.maker.pat.selections.clear(); }},
    {"another bank", errc::pat_bank,
     [](situation& s) { s.maker.pat.selections[0].bank = tpm_hash::sha384; }},
    {"SHA-1 bank", errc::pat_bank,
     [](situation& s) { s.maker.pat.selections[0].bank = tpm_hash::sha1; }},
    {"an empty selection", errc::pat_pcrs_missing,
     [](situation& s) { s.maker.pat.selections[0].mask = 0; }},
    {"one required PCR less", errc::pat_pcrs_missing,
     [](situation& s) { s.maker.pat.selections[0].mask &= ~0x80u; }},
    {"PCR 16 in place of a required one", errc::pat_pcrs_missing,
     [](situation& s) { s.maker.pat.selections[0].mask = 0x7f | resettable_pcrs; }},
    {"two kids", errc::kid_mismatch, [](situation& s) { s.maker.pat_kid[9] ^= 1; }},
    {"a kid that is no UEID", errc::kid_malformed,
     [](situation& s) { s.maker.kat_kid[0] = s.maker.pat_kid[0] = 9; }},
    {"statements of two signers", errc::signer_mismatch,
     [](situation& s) { s.maker.pat.qualified_signer[4] ^= 1; }},
    {"statements of two boots", errc::signer_mismatch,
     [](situation& s) { ++s.maker.pat.reset_count; }},
    {"statements with a restart between them", errc::signer_mismatch,
     [](situation& s) { ++s.maker.pat.restart_count; }},
    {"statements of two firmwares", errc::signer_mismatch,
     [](situation& s) { ++s.maker.kat.firmware_version; }},
    {"bytes after the certification", errc::evidence_malformed,
     [](situation& s) { s.maker.kat.trailing = {0}; }},
    {"bytes after the quote", errc::evidence_malformed,
     [](situation& s) { s.maker.pat.trailing = {0}; }},
};

}  // namespace

TEST_CASE("good Evidence passes every local check", "[verifier]") {
  situation s;
  const auto checked = s.check().value();
  CHECK(checked.instance == kid_of(spki(s.maker.ak)));
  CHECK(to_string(quoted_pcrs(checked.facts)) == "sha256:0,1,2,3,4,5,6,7");
  CHECK(parsec_tpm_evidence::decode(checked.evidence).has_value());
  CHECK(checked.facts == s.scheme().read(checked.evidence).value());
}

TEST_CASE("every mutation of Evidence is refused with its own reason", "[verifier]") {
  for (const auto& m : mutations) {
    INFO(m.what);
    situation s;
    REQUIRE(s.check().has_value());
    m.apply(s);
    const auto checked = s.check();
    REQUIRE(checked.has_error());
    CHECK(reason(checked.error().code) == reason(m.reason));
  }
}

TEST_CASE("a changed configuration may demand other PCRs of a peer that was admitted",
          "[verifier]") {
  situation s;
  const auto checked = s.check().value();
  CHECK(s.scheme().recheck(checked).has_value());
  s.required.mask = 0x1ff;
  CHECK(s.scheme().recheck(checked).error().code == errc::pat_pcrs_missing);
  s.required = {tpm_hash::sha384, 1};
  CHECK(s.scheme().recheck(checked).error().code == errc::pat_bank);
}

TEST_CASE("a signature that is not ECDSA is refused before the Verifier sees it", "[verifier]") {
  const situation s;
  auto evidence = s.maker.make();
  evidence.kat.signature = from_hex("0014000b0001aa").value();  // RSASSA
  CHECK(s.check(evidence.encode()).error().code == errc::signature_unsupported);
}

TEST_CASE("only resettable PCRs required is nothing required: refused", "[verifier]") {
  situation s;
  s.required.mask = resettable_pcrs;
  s.maker.pcrs.mask = resettable_pcrs;
  s.maker.derive();
  CHECK(s.check().error().code == errc::pat_pcrs_missing);
}
