#include "reference_verifier/parsec_tpm_appraisal.hpp"

#include "support/software_tpm.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;

namespace {

struct situation {
  evidence_maker maker;
  endorsement_store store;
  bytes session_nonce = maker.binder;
  pcr_selection required{tpm_hash::sha256, 0xff};

  situation() {
    parsec_tpm_endorsements known;
    known.trust_anchors.push_back({bytes(16, 1), maker.kat_kid, spki(maker.ak)});
    parsec_tpm_endorsements::reference_values values{bytes(16, 1), {}};
    for (unsigned pcr = 0; pcr < 8; ++pcr) {
      values.digests[{pcr, tpm_hash::sha256}] = bytes(32, 0);
    }
    known.references.push_back(values);
    store.add(known);
  }

  ear_appraisal appraise() const {
    return appraise_parsec_tpm(maker.make().encode(), session_nonce, store, required);
  }
};

struct mutation {
  const char* problem;
  void (*apply)(situation&);
};

const mutation mutations[] = {
    {"no trust anchor", [](situation& s) { s.maker.kat_kid[7] ^= 1, s.maker.pat_kid[7] ^= 1; }},
    {"kid mismatch", [](situation& s) { s.maker.pat_kid[7] ^= 1; }},
    {"bad evidence", [](situation& s) { s.maker.kat_signer = new_key(); }},
    {"bad evidence", [](situation& s) { s.maker.pat_signer = new_key(); }},
    {"freshness", [](situation& s) { s.maker.kat.extra_data[0] ^= 1; }},
    {"freshness", [](situation& s) { s.maker.pat.extra_data[0] ^= 1; }},
    {"freshness", [](situation& s) { s.session_nonce[0] ^= 1; }},
    {"could not establish identity", [](situation& s) { s.maker.kat.magic = 1; }},
    {"name mismatch", [](situation& s) { s.maker.kat.name[3] ^= 1; }},
    {"attributes",
     [](situation& s) {
       s.maker.attributes &= ~tpm_attribute::fixed_tpm;
       s.maker.derive();
     }},
    {"the quote covers", [](situation& s) { s.required.mask |= 1u << 9; }},
    {"the quote covers",
     [](situation& s) {
       s.maker.pcrs.mask = 0;
       s.maker.pcr_values.clear();
       s.maker.derive();
     }},
    {"match no reference",
     [](situation& s) {
       s.maker.pcr_values[4] = bytes(32, 1);
       s.maker.derive();
     }},
};

}  // namespace

TEST_CASE("the reference Verifier affirms good Evidence", "[daemon]") {
  const situation s;
  const auto verdict = s.appraise();
  CHECK(verdict.status == trust_tier::affirming);
  CHECK(verdict.attested_key == spki(s.maker.tik));
  CHECK(verdict.vector == trust_vector{2, 0, 2, 0, 2, 0, 0, 0});
}

TEST_CASE("the reference Verifier contraindicates everything else and says why", "[daemon]") {
  for (const auto& m : mutations) {
    INFO(m.problem);
    situation s;
    REQUIRE(s.appraise().status == trust_tier::affirming);
    m.apply(s);
    const auto verdict = s.appraise();
    CHECK(verdict.status == trust_tier::contraindicated);
    CHECK(verdict.vector_tier() == trust_tier::contraindicated);
    CHECK(verdict.attested_key.empty());
    CHECK_THAT(verdict.policy_claims["problem"].get<std::string>(), Catch::Contains(m.problem));
  }
}

TEST_CASE("published Evidence is appraised against published endorsements", "[daemon][vectors]") {
  endorsement_store store;
  store.add(parsec_tpm_endorsements::from_corim(
                parse_corim(read_binary_vector("parsec-tpm/corim-valid.cbor")).value())
                .value());
  const auto evidence = read_binary_vector("parsec-tpm/evidence-valid.cbor");
  const bytes its_nonce = from_hex("deadbeefdeadbeef").value();
  const pcr_selection three{tpm_hash::sha256, 7};
  const auto verdict = appraise_parsec_tpm(evidence, its_nonce, store, three);
  // Its PCRs are all zero; whether the published reference values are, decides.
  const bool zero =
      store
          .references(
              store
                  .anchors(
                      from_hex("0188855459eeb9e9b34a46eb48cb39f2f6aa69da04522a326d123d5c501fce210c")
                          .value())[0]
                  ->class_id)[0]
          ->digests.at({0, tpm_hash::sha256}) == bytes(32, 0);
  CHECK(verdict.status == (zero ? trust_tier::affirming : trust_tier::contraindicated));
  // In a session with another nonce Veraison would still accept it; we do not.
  CHECK(appraise_parsec_tpm(evidence, bytes(32, 1), store, three).status ==
        trust_tier::contraindicated);
}
