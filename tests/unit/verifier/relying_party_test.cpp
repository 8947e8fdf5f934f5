#include "verifier/relying_party.hpp"

#include "support/running_verifier.hpp"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

TEST_CASE("many threads have Evidence appraised, and each gets its own verdict",
          "[verifier][threads]") {
  evidence_maker machine;
  machine.derive();
  const running_verifier verifier(machine);
  auto party = verifier.client();
  auto policy = std::make_shared<appraisal_policy>();
  policy->required_pcrs = machine.pcrs;
  const appraisal_request good{.cmw = machine.make_cmw(),
                               .media_type = std::string(parsec_tpm_evidence::media_type),
                               .binder = machine.binder,
                               .leaf_spki = spki(machine.tik)};
  auto diverted = good;
  diverted.binder = bytes(32, 0x11);

  std::atomic<int> admitted = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        const auto peer = party->appraise(n % 2 == 0 ? good : diverted, policy);
        admitted += peer.has_value();
        refused += !peer && peer.error().code == errc::kat_nonce_mismatch;
        (void)party->count();
      }
    });
  }
  for (auto& asker : askers) {
    asker.join();
  }
  CHECK(admitted == 20);
  CHECK(refused == 20);
}
