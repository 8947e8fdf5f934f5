// R1: live Evidence of a genuine machine presented in somebody else's handshake. The relay holds a
// copy of the machine's TLS key, so nothing but the binder stands in its way; that is shown by the
// same machine being accepted without a relay, by the same Verifier.
#include "support/engines.hpp"
#include "support/running_verifier.hpp"

#include <condition_variable>
#include <thread>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

// A machine whose TPM is software, and its TLS key therefore a thing that can be copied.
class software_attester : public presenter {
 public:
  attestation_schemes offers() const override {
    return {attestation_scheme::evidence(parsec_tpm_evidence::media_type)};
  }
  result<bytes> present(const attestation_scheme&, bytes_view binder, steady_time) override {
    machine.binder = to_bytes(binder);
    machine.derive();
    return machine.make_cmw();
  }
  result<void> check(steady_time) override { return {}; }
  bytes instance() const override { return {}; }
  json describe() const override { return json::object(); }

  evidence_maker machine;
};

// Gets the Evidence that its own handshake wants from somewhere else.
class relaying_attester : public software_attester {
 public:
  explicit relaying_attester(std::function<bytes()> from) : from_(std::move(from)) {}
  result<bytes> present(const attestation_scheme&, bytes_view, steady_time) override {
    return from_();
  }

 private:
  std::function<bytes()> from_;
};

tls::settings serving(const std::shared_ptr<software_attester>& by, const evidence_maker& machine) {
  tls::settings out;
  out.role = tls::role::server;
  out.presenter = by;
  out.unsafe_unauthenticated = true;
  EVP_PKEY_up_ref(machine.tik.get());
  out.key = std::shared_ptr<EVP_PKEY>(machine.tik.get(), EVP_PKEY_free);
  out.chain.push_back(tls::self_signed(out.key.get(), nullptr).value());
  return out;
}

tls::settings demanding(const running_verifier& verifier) {
  tls::settings out;
  out.role = tls::role::client;
  out.appraiser = verifier.judge();
  return out;
}

// Two sides, of which either may be suspended for a while.
struct conversation {
  using step = tls::engine::step;

  receive_buffer to_client;
  receive_buffer to_server;
  std::mutex mutex;
  std::condition_variable resumed;
  int resumable = 0;
  std::function<void()> wake = [this] {
    const std::lock_guard lock(mutex);
    ++resumable;
    resumed.notify_one();
  };
  tls::engine client;
  tls::engine server;

  conversation(const tls::context& c, const tls::context& s)
      : client(c, to_client, wake), server(s, to_server, wake) {}

  step shake_hands() {
    step c = client.advance();
    step s = server.advance();
    while (c != step::failed && s != step::failed && (c != step::done || s != step::done)) {
      put(to_server, client.take_output());
      put(to_client, server.take_output());
      if (c == step::suspended || s == step::suspended) {
        std::unique_lock lock(mutex);
        REQUIRE(resumed.wait_for(lock, std::chrono::seconds(20), [&] { return resumable > 0; }));
        --resumable;
      }
      c = c == step::done ? c : client.advance();
      s = s == step::done ? s : server.advance();
    }
    return c;
  }
};

}  // namespace

TEST_CASE("a relay with a copy of the TLS key and live Evidence is refused", "[tls]") {
  using step = tls::engine::step;
  const auto genuine = std::make_shared<software_attester>();
  const running_verifier verifier(genuine->machine);
  const tls::context client(demanding(verifier));
  const tls::context machine(serving(genuine, genuine->machine));
  {
    conversation direct(client, machine);
    const auto outcome = direct.shake_hands();
    CAPTURE(direct.client.why_failed().text());
    REQUIRE(outcome == step::done);
    const auto found = direct.client.attestation().peer()->attested->instance();
    CHECK(to_bytes(found) == kid_of(spki(genuine->machine.ak)));
  }

  // The relay asks the genuine machine in a handshake of its own, and passes its Evidence on.
  const tls::context curious(demanding(verifier));
  int relayed = 0;
  const auto relay = std::make_shared<relaying_attester>([&] {
    conversation behind(curious, machine);
    behind.client.attestation().trace(std::make_shared<appraisal_trace>());
    // In a job already: a thread of its own.
    std::thread([&] {
      CHECK(behind.shake_hands() == step::done);
      ASYNC_cleanup_thread();
    }).join();
    ++relayed;
    return behind.client.attestation().peer_evidence();
  });
  const tls::context in_the_middle(serving(relay, genuine->machine));
  conversation attacked(client, in_the_middle);
  CHECK(attacked.shake_hands() == step::failed);
  CHECK(relayed == 1);
  CHECK(attacked.client.why_failed().code == errc::kat_nonce_mismatch);
  ASYNC_cleanup_thread();
}
