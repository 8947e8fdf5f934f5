// What an appraisal does with Evidence of any type, before a Verifier is asked.
#include "appraisal/appraisal.hpp"

#include "core/certificates.hpp"
#include "formats/cmw.hpp"
#include "reference_verifier/sgx_appraisal.hpp"
#include "schemes/sgx/sgx_scheme.hpp"
#include "support/certificate_evidence.hpp"
#include "support/running_verifier.hpp"

#include <unistd.h>

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

namespace {

// A peer whose certificate carries SGX Evidence, and a Verifier that knows its enclave.
struct certified_peer {
  pkey_ptr key = new_key();
  std::shared_ptr<appraisal_policy> policy = running_verifier::policy_for({tpm_hash::sha256, 0xff});
  evidence_maker unrelated;
  running_verifier verifier{unrelated, {std::make_shared<sgx_appraiser>(enclaves())}};

  certified_peer() {
    policy->accepts.clear();
    policy->takes_certificates = true;
  }

  static std::shared_ptr<const endorsement_store> enclaves() {
    namespace fs = std::filesystem;
    const auto path = fs::temp_directory_path() / ("enclaves-" + std::to_string(::getpid()));
    fs::create_directories(path);
    const std::string vectors = vectors_directory().string() + "/";
    const json known{{"sgx",
                      {{"roots", vectors + "tdx/root.pem"},
                       {"collateral", json::array({vectors + "sgx/collateral.json"})},
                       {"references", json::array({{{"isvprodid", 7}}})}}}};
    write_file(path / endorsement_store::cvm_file, known.dump(), 0600).value();
    auto out = std::make_shared<const endorsement_store>(endorsement_store::load(path).value());
    fs::remove_all(path);
    return out;
  }

  appraisal_request request(const x509_ptr& certificate) const {
    return {.leaf_spki = spki_of(certificate.get()).value(),
            .certificate = der_of(certificate.get())};
  }
  std::string check(const x509_ptr& certificate) const {
    const auto checked = appraisal::check(request(certificate), *policy);
    return checked ? "ok" : std::string(reason(checked.error().code));
  }
};

}  // namespace

TEST_CASE("a certificate's Evidence is checked as any other, and bound to its key", "[verifier]") {
  const certified_peer peer;
  CHECK(peer.check(sgx_certificate(peer.key.get())) == "ok");
  const auto checked =
      appraisal::check(peer.request(sgx_certificate(peer.key.get())), *peer.policy).value();
  CHECK_FALSE(checked.content->is_fresh);
  CHECK(checked.content->media_type == sgx_scheme::type);
  auto expected = digest("SHA256", claims_about(spki_of(peer.key.get()).value()));
  expected.resize(64);
  CHECK(checked.nonce == expected);

  CHECK(peer.check(sgx_certificate(peer.key.get(), [](bytes& of) { of[48 + 48] |= 2; })) ==
        "sgx_debug");
  CHECK(peer.check(tls::self_signed(peer.key.get(), nullptr).value()) == "peer_not_attested");
  // Somebody else's Evidence in a certificate of one's own.
  const auto stolen = sgx_certificate(new_key().get());
  const auto own = tls::self_signed(peer.key.get(), nullptr).value();
  X509_add_ext(own.get(), X509_get_ext(stolen.get(), X509_get_ext_count(stolen.get()) - 1), -1);
  CHECK(peer.check(own) == "certificate_key_mismatch");
  peer.policy->allowed_instances = {bytes(16, 1)};
  CHECK(peer.check(sgx_certificate(peer.key.get())) == "kid_not_allowed");
}

TEST_CASE("Evidence in certificates is not taken where nothing says so", "[verifier]") {
  const certified_peer peer;
  peer.policy->takes_certificates = false;
  CHECK(peer.check(sgx_certificate(peer.key.get())) == "evidence_type_unexpected");
  CHECK_FALSE(appraisal_policy().takes_certificates);
}

TEST_CASE("Evidence in a certificate is appraised by the Verifier, and looked at again",
          "[verifier]") {
  const certified_peer peer;
  const auto judges = peer.verifier.client();
  tunnel_appraiser tunnel(judges, peer.policy);
  CHECK(tunnel.takes_certificates());
  const auto admitted = tunnel.appraise(peer.request(sgx_certificate(peer.key.get())));
  INFO((admitted ? "" : admitted.error().text()));
  REQUIRE(admitted.has_value());
  CHECK(tunnel.judge_again(*admitted, "").has_value());

  const auto changed = [&](const std::function<void(appraisal_policy&)>& change) {
    auto policy = std::make_shared<appraisal_policy>(*peer.policy);
    change(*policy);
    const auto again = tunnel_appraiser(judges, policy).judge_again(*admitted, "");
    return again ? errc::ok : again.error().code;
  };
  CHECK(changed([](auto&) {}) == errc::ok);
  CHECK(changed([](auto& policy) {
          policy.takes_certificates = false;
          policy.accepts = {attestation_model::background_check, attestation_model::passport};
        }) == errc::evidence_type_unexpected);

  const auto unknown = tunnel.appraise(
      peer.request(sgx_certificate(peer.key.get(), [](bytes& of) { of[48 + 256] = 8; })));
  REQUIRE(unknown.has_error());
  CHECK(unknown.error().code == errc::ear_not_affirming);
}
