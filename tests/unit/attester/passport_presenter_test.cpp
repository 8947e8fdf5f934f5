#include "attester/passport_presenter.hpp"

#include "appraisal/passport_check.hpp"
#include "support/running_verifier.hpp"
#include "support/scripted_verifier.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// A machine with a TPM made in software.
class software_machine final : public presenter {
 public:
  attestation_schemes offers() const override {
    return {attestation_scheme::evidence("application/another"),
            attestation_scheme::evidence(parsec_tpm_evidence::media_type)};
  }
  result<bytes> present(const attestation_scheme& scheme, bytes_view binder, steady_time) override {
    const std::lock_guard lock(mutex_);
    if (scheme != offers()[1]) {
      return failure(errc::internal, "asked for " + scheme.text());
    }
    maker.binder = to_bytes(binder);
    maker.derive();
    return maker.make_cmw();
  }
  result<void> check(steady_time) override { return {}; }
  bytes instance() const override { return {1, 2, 3}; }
  json describe() const override { return {{"attester", "software"}}; }

  evidence_maker maker;

 private:
  std::mutex mutex_;
};

const auto by_verifier = attestation_scheme::result_of("verifier.example");

struct stage {
  stage() : verifier(std::make_unique<running_verifier>(machine->maker)) {
    options.evidence = machine;
    options.leaf_spki = spki(machine->maker.tik);
    options.schemes = running_verifier::policy_for({tpm_hash::sha256, 0xff})->schemes;
    options.verifiers = {verifier->options()};
    options.verifiers.front().identity = "verifier.example";
    options.verifiers.front().timeout = 60s;
    options.now = [late = late] { return std::chrono::system_clock::now() + late->load(); };
  }

  passport_presenter& start() {
    presents = passport_presenter::create(options, deadline()).value();
    return *presents;
  }
  static steady_time deadline() { return std::chrono::steady_clock::now() + 60s; }

  result<bytes> present(bytes_view binder = {}) {
    return presents->present(by_verifier, binder, deadline());
  }
  // What a Relying Party with this binder says.
  errc judge(bytes_view cmw, bool is_fresh = false, bytes_view binder = {}) const {
    const auto checked = check_passport(cmw, {.keys = options.verifiers.front().pinned_keys,
                                              .leaf_spki = spki(machine->maker.tik),
                                              .binder = binder,
                                              .is_fresh = is_fresh,
                                              .schemes = known_schemes(),
                                              .results = result_policy()});
    return checked ? errc::ok : checked.error().code;
  }
  json about() const { return presents->describe()["passports"].at(0); }

  static void wait_until(const std::function<bool()>& condition) {
    const auto patience = deadline();
    while (!condition() && std::chrono::steady_clock::now() < patience) {
      std::this_thread::sleep_for(10ms);
    }
    REQUIRE(condition());
  }

  std::shared_ptr<software_machine> machine = std::make_shared<software_machine>();
  std::unique_ptr<running_verifier> verifier;
  /// By how much the clock was set forward.
  std::shared_ptr<std::atomic<std::chrono::seconds>> late =
      std::make_shared<std::atomic<std::chrono::seconds>>(0s);
  passport_presenter_options options;
  std::shared_ptr<passport_presenter> presents;
};

}  // namespace

TEST_CASE("a passport is there from the start, and renewed while it lives", "[attester][threads]") {
  stage s;
  s.options.results.max_age = 6s;
  auto& presents = s.start();
  CHECK(presents.offers() == attestation_schemes{by_verifier});
  CHECK(presents.check(s.deadline()).has_value());
  CHECK(presents.instance() == bytes{1, 2, 3});
  const auto first = s.present().value();
  CHECK(s.judge(first) == errc::ok);
  CHECK(s.judge(first, true, bytes(32, 1)) == errc::ear_nonce);

  s.wait_until([&] {
    const auto now = s.present();
    return now && *now != first;
  });
  CHECK(s.judge(s.present().value()) == errc::ok);
  CHECK(presents.describe()["of"] == json{{"attester", "software"}});
  CHECK(s.about()["verifier"] == "verifier.example");
  CHECK(s.about()["valid_until"].is_string());
  CHECK_FALSE(s.about().contains("last_failure"));
  CHECK(presents.present(attestation_scheme::result_of("another"), {}, s.deadline()).error().code ==
        errc::passport_unavailable);
}

TEST_CASE("without its Verifier a passport can be used until its end", "[attester][threads]") {
  stage s;
  auto& presents = s.start();
  s.verifier.reset();
  CHECK(s.judge(s.present().value()) == errc::ok);

  s.late->store(1h);
  CHECK(presents.offers().empty());
  CHECK(s.present().error().code == errc::passport_expired);
  CHECK(presents.check(s.deadline()).error().code == errc::passport_expired);
  // That it has lapsed before its renewal is seen.
  s.wait_until([&] { return s.about().contains("last_failure"); });
  CHECK(s.present().error().detail.find("verifier_unavailable") != std::string::npos);
}

TEST_CASE("without any passport it starts, and goes on trying", "[attester][threads]") {
  stage s;
  asio::io_context io{1};
  std::atomic<int> asked = 0;
  scripted_verifier broken(io, [&](const std::string&) {
    ++asked;
    return scripted_verifier::answer{scripted_verifier::http("503 Service Unavailable")};
  });
  std::thread thread([&] { io.run(); });
  s.options.verifiers.front().url = broken.url();
  auto& presents = s.start();
  CHECK(presents.offers().empty());
  CHECK(s.present().error().code == errc::passport_unavailable);
  CHECK(s.present().error().detail.find("503") != std::string::npos);
  CHECK(presents.check(s.deadline()).error().code == errc::passport_unavailable);
  CHECK(s.about()["valid_until"].is_null());
  s.wait_until([&] { return asked >= 2; });
  s.presents.reset();
  io.stop();
  thread.join();
}

TEST_CASE("a fresh passport is issued for the binder of its handshake", "[attester][threads]") {
  stage s;
  s.options.is_fresh = true;
  auto& presents = s.start();
  CHECK(presents.offers() == attestation_schemes{by_verifier});
  CHECK(presents.check(s.deadline()).has_value());
  const bytes binder(32, 9);
  const auto cmw = s.present(binder).value();
  CHECK(s.judge(cmw, true, binder) == errc::ok);
  CHECK(s.judge(cmw, true, bytes(32, 8)) == errc::ear_nonce);
  CHECK(s.judge(s.present(bytes(48, 1)).value(), true, bytes(48, 1)) == errc::ok);
  CHECK(s.about()["fresh"] == true);
  CHECK(s.about()["valid_until"].is_null());

  s.verifier.reset();
  CHECK(s.present(binder).error().code == errc::verifier_unavailable);
  CHECK(presents.offers() == attestation_schemes{by_verifier});
  CHECK(presents.check(s.deadline()).error().code == errc::verifier_unavailable);
}

TEST_CASE("a passport that peers would refuse is not presented", "[attester][threads]") {
  struct mistake {
    const char* reason;
    void (*make)(stage&);
  };
  const mistake mistakes[] = {
      {"kat_key_mismatch", [](stage& s) { s.options.leaf_spki = spki(new_key()); }},
      {"ear_policy_id", [](stage& s) { s.options.results.policy_id = "policy:OTHER"; }},
      {"ear_signature",
       [](stage& s) {
         s.options.verifiers.front().pinned_keys = {
             std::make_shared<const jws_key>(jws_key{"ES256", new_key()})};
       }},
      {"verifier_evidence_type", [](stage& s) { s.options.schemes.clear(); }},
      {"ear_not_affirming", [](stage& s) { s.machine->maker.pcr_values[0] = bytes(32, 1); }},
  };
  for (const auto& one : mistakes) {
    INFO(one.reason);
    stage s;
    one.make(s);
    CHECK(s.start().offers().empty());
    CHECK(s.present().error().code == errc::passport_unavailable);
    CHECK(s.present().error().detail.find(one.reason) != std::string::npos);
  }
}

TEST_CASE("passports need Verifiers that can be named", "[attester][threads]") {
  const auto refused = [](void (*make)(passport_presenter_options&)) {
    stage s;
    make(s.options);
    return passport_presenter::create(s.options, s.deadline()).error().code;
  };
  CHECK(refused([](auto& o) { o.verifiers.clear(); }) == errc::config_invalid);
  CHECK(refused([](auto& o) { o.verifiers.front().identity.assign(256, 'a'); }) ==
        errc::config_invalid);
}
