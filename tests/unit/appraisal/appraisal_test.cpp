// What an appraisal does with Evidence of any type, before a Verifier is asked.
#include "appraisal/appraisal.hpp"

#include "formats/cmw.hpp"
#include "support/running_verifier.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

struct situation {
  evidence_maker maker;
  std::shared_ptr<appraisal_policy> policy = running_verifier::policy_for({tpm_hash::sha256, 0xff});
  attestation_scheme agreed = attestation_scheme::evidence(parsec_tpm_evidence::media_type);

  errc check(bytes cmw) const {
    const auto checked = appraisal::check({.cmw = std::move(cmw),
                                           .scheme = agreed,
                                           .binder = maker.binder,
                                           .leaf_spki = spki(maker.tik)},
                                          *policy);
    return checked ? errc::ok : checked.error().code;
  }
};

}  // namespace

TEST_CASE("Evidence in another wrapping is refused", "[verifier]") {
  const situation s;
  const auto evidence = s.maker.make().encode();
  CHECK(s.check(s.maker.make_cmw()) == errc::ok);
  CHECK(s.check(evidence) == errc::cmw_malformed);
  CHECK(s.check(encode_cmw("application/other", evidence)) == errc::evidence_type_unexpected);
  auto trailing = s.maker.make_cmw();
  trailing.push_back(0);
  CHECK(s.check(trailing) == errc::cmw_malformed);
  CHECK(s.check({}) == errc::cmw_malformed);
}

TEST_CASE("Evidence of another type than was negotiated is refused", "[verifier]") {
  situation s;
  s.agreed = attestation_scheme::evidence("application/eat+cwt");
  CHECK(s.check(s.maker.make_cmw()) == errc::evidence_type_unexpected);
  // Of a type that the tunnel takes, in place of another one.
  const auto cmw = encode_cmw("application/eat+cwt", s.maker.make().encode());
  CHECK(s.check(cmw) == errc::evidence_type_unexpected);
}

TEST_CASE("a machine that is not pinned is refused", "[verifier]") {
  situation s;
  s.policy->allowed_instances = {bytes(33, 1)};
  CHECK(s.check(s.maker.make_cmw()) == errc::kid_not_allowed);
  s.policy->allowed_instances.push_back(kid_of(spki(s.maker.ak)));
  CHECK(s.check(s.maker.make_cmw()) == errc::ok);
}
