#include "appraisal/relying_party.hpp"

#include "support/running_verifier.hpp"
#include "support/scripted_verifier.hpp"
#include "support/software_tpm.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <openssl/async.h>

using namespace atls;
using namespace atls::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// A Relying Party whose Verifier answers to Evidence once it is let go, with rubbish.
struct stage {
  explicit stage(std::size_t max_waiting)
      : verifier(io, [this](const std::string& target) { return answer(target); }),
        thread([this] { io.run(); }) {
    verifier_options options;
    options.url = verifier.url();
    options.pinned_keys = {std::make_shared<const jws_key>(jws_key{"ES256", new_key()})};
    options.timeout = 60s;
    options.max_concurrent = 1;
    options.max_waiting = max_waiting;
    asked.emplace(relying_party_options{.verifiers = {options}});
  }
  ~stage() {
    is_held = false;
    asked.reset();
    io.stop();
    thread.join();
  }

  scripted_verifier::answer answer(const std::string& target) {
    if (target.find("/session/") == target.npos) {
      return scripted_verifier::honest(target);
    }
    ++submissions;
    while (is_held) {
      std::this_thread::sleep_for(1ms);
    }
    return scripted_verifier::honest(target);
  }

  appraisal_request request() {
    machine.binder.assign(32, ++binders);
    machine.derive();
    return {.cmw = machine.make_cmw(),
            .scheme = attestation_scheme::evidence(parsec_tpm_evidence::media_type),
            .binder = machine.binder,
            .leaf_spki = spki(machine.tik)};
  }

  // "a.b.c" is no Attestation Result: ear_malformed is how far an appraisal comes here.
  errc appraise(appraisal_request what) {
    const auto peer = asked->appraise(std::move(what), policy);
    return peer ? errc::ok : peer.error().code;
  }

  void wait_until(const std::function<bool()>& condition) {
    const auto patience = std::chrono::steady_clock::now() + 60s;
    while (!condition() && std::chrono::steady_clock::now() < patience) {
      std::this_thread::sleep_for(1ms);
    }
    REQUIRE(condition());
  }

  std::shared_ptr<appraisal_policy> policy = running_verifier::policy_for({tpm_hash::sha256, 0xff});
  evidence_maker machine;
  std::uint8_t binders = 0;
  std::atomic<bool> is_held = true;
  std::atomic<int> submissions = 0;
  asio::io_context io{1};
  scripted_verifier verifier;
  std::thread thread;
  std::optional<relying_party> asked;
};

// A handshake that waits for its appraisal, in a job of its own.
struct waiting_peer {
  explicit waiting_peer(stage& on) : on_(&on), what_(on.request()) {
    ASYNC_WAIT_CTX_set_callback(
        context_, [](void*) { return 1; }, nullptr);
    REQUIRE(resume() == ASYNC_PAUSE);
  }
  ~waiting_peer() { ASYNC_WAIT_CTX_free(context_); }

  errc leave() {
    ASYNC_WAIT_CTX_set_status(context_, ASYNC_STATUS_ERR);
    REQUIRE(resume() == ASYNC_FINISH);
    return found_;
  }

 private:
  static int appraise(void* argument) {
    auto& self = **static_cast<waiting_peer**>(argument);
    self.found_ = self.on_->appraise(std::move(self.what_));
    return 1;
  }
  int resume() {
    int outcome = 0;
    auto* self = this;
    return ASYNC_start_job(&job_, context_, &outcome, appraise, &self, sizeof self);
  }

  stage* on_;
  appraisal_request what_;
  errc found_ = errc::ok;
  ASYNC_JOB* job_ = nullptr;
  ASYNC_WAIT_CTX* context_ = ASYNC_WAIT_CTX_new();
};

}  // namespace

TEST_CASE("what is refused here takes no place at the Verifier", "[verifier]") {
  stage s(0);
  waiting_peer first(s);
  s.wait_until([&] { return s.submissions == 1; });

  CHECK(s.appraise(s.request()) == errc::verifier_overloaded);
  auto malformed = s.request();
  malformed.cmw = {0x00};
  CHECK(s.appraise(std::move(malformed)) == errc::cmw_malformed);
  auto relayed = s.request();
  relayed.binder.assign(32, 0xff);
  CHECK(s.appraise(std::move(relayed)) == errc::kat_nonce_mismatch);

  CHECK(first.leave() == errc::cancelled);
  s.is_held = false;
  s.wait_until([&] { return s.asked->count().in_flight == 0; });
  CHECK(s.appraise(s.request()) == errc::ear_malformed);
  ASYNC_cleanup_thread();
}

TEST_CASE("the Evidence of a peer that has left is not sent", "[verifier]") {
  stage s(10);
  waiting_peer first(s);
  s.wait_until([&] { return s.submissions == 1; });
  waiting_peer second(s);
  waiting_peer third(s);
  s.wait_until([&] { return s.asked->count().in_flight == 3; });
  CHECK(second.leave() == errc::cancelled);
  s.is_held = false;
  s.wait_until([&] { return s.asked->count().in_flight == 0; });
  CHECK(s.submissions == 2);
  const auto outcomes = s.asked->count().outcomes;
  CHECK(outcomes == std::map<errc, std::uint64_t>{{errc::cancelled, 1}, {errc::ear_malformed, 2}});
  first.leave();
  third.leave();
  ASYNC_cleanup_thread();
}

TEST_CASE("a Relying Party that goes lets go of what it has begun", "[verifier]") {
  stage s(10);
  waiting_peer inside(s);
  s.wait_until([&] { return s.submissions == 1; });
  waiting_peer waiting(s);
  s.wait_until([&] { return s.asked->count().in_flight == 2; });
  inside.leave();
  waiting.leave();
  s.asked.reset();
  ASYNC_cleanup_thread();
}

TEST_CASE("many threads have Evidence appraised, and each gets its own verdict",
          "[verifier][threads]") {
  evidence_maker machine;
  machine.derive();
  const running_verifier verifier(machine);
  auto party = verifier.client();
  const auto policy = running_verifier::policy_for(machine.pcrs);
  const appraisal_request good{
      .cmw = machine.make_cmw(),
      .scheme = attestation_scheme::evidence(parsec_tpm_evidence::media_type),
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
