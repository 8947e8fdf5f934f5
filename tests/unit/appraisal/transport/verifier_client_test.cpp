#include "appraisal/transport/verifier_client.hpp"

#include "support/scripted_verifier.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using outcomes = std::map<errc, int>;

// A Verifier and its client, on one thread.
struct stage {
  explicit stage(scripted_verifier::script script, verifier_options options = {})
      : verifier(io, std::move(script)), client(io, with_address(std::move(options))) {}

  verifier_options with_address(verifier_options options) const {
    options.url = verifier.url();
    options.pinned_keys = {std::make_shared<const jws_key>(jws_key{"ES256", new_key()})};
    return options;
  }

  // Pieces of Evidence, all at once.
  outcomes submit(int count = 1, const std::string& source = "") {
    outcomes out;
    for (int i = 0; i < count; ++i) {
      asio::co_spawn(io, submit_one(source, out), asio::detached);
    }
    run_until([&] { return total(out) == count; });
    return out;
  }

  errc check() {
    std::optional<errc> out;
    asio::co_spawn(io, check_into(out), asio::detached);
    run_until([&] { return out.has_value(); });
    return *out;
  }

  asio::awaitable<void> submit_one(std::string source, outcomes& into) {
    submission what{bytes(32, ++nonces), "application/x", bytes(9, 1), std::move(source)};
    const auto token = co_await client.submit(std::move(what));
    detail = token ? "" : token.error().text();
    ++into[token ? errc::ok : token.error().code];
  }

  asio::awaitable<void> check_into(std::optional<errc>& out) {
    const auto found = co_await client.check(std::chrono::steady_clock::now() + 5s);
    detail = found ? "" : found.error().text();
    out = found ? errc::ok : found.error().code;
  }

  void run_until(const std::function<bool()>& done) {
    const auto patience = std::chrono::steady_clock::now() + 60s;
    while (!done() && std::chrono::steady_clock::now() < patience) {
      io.run_one_for(1s);
    }
    REQUIRE(done());
  }

  static int total(const outcomes& of) {
    int out = 0;
    for (const auto& [why, count] : of) {
      out += count;
    }
    return out;
  }

  asio::io_context io{1};
  scripted_verifier verifier;
  verifier_client client;
  std::string detail;
  std::uint8_t nonces = 0;
};

const outcomes one_success{{errc::ok, 1}};

bool is_evidence(const std::string& target) {
  return target.find("/session/") != target.npos;
}

}  // namespace

TEST_CASE("a Verifier that says something first, or too much, keeps its answers in step",
          "[verifier]") {
  std::string before;
  std::string after;
  stage s([&](const std::string& target) {
    return scripted_verifier::answer{before + scripted_verifier::honest(target).bytes + after};
  });
  CHECK(s.submit() == one_success);
  CHECK(s.verifier.connections() == 1);
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  for (const auto& [first, last] : {std::pair{hints, std::string()},
                                    {"HTTP/1.1 100 Continue\r\n\r\n" + hints + hints, ""},
                                    {"", scripted_verifier::http("200 OK", "{}")},
                                    {"", "\r\n"},
                                    {"", "bytes behind the body"}}) {
    INFO(first + "..." + last);
    before = first;
    after = last;
    CHECK(s.submit() == one_success);
    before.clear();
    after.clear();
    CHECK(s.submit() == one_success);
  }
}

TEST_CASE("hints without end and another protocol are no answers", "[verifier]") {
  std::string before;
  stage s([&](const std::string& target) {
    return scripted_verifier::answer{before + scripted_verifier::honest(target).bytes};
  });
  for (int i = 0; i < 1000; ++i) {
    before += "HTTP/1.1 103 Early Hints\r\n\r\n";
  }
  CHECK(s.submit() == outcomes{{errc::verifier_protocol, 1}});
  before = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
  CHECK(s.submit() == outcomes{{errc::verifier_rejected, 1}});
  before.clear();
  CHECK(s.submit() == one_success);
}

TEST_CASE("what comes on an idle connection ends it", "[verifier]") {
  std::string later;
  stage s([&](const std::string& target) {
    auto out = scripted_verifier::honest(target);
    if (is_evidence(target)) {
      out.bytes += later;
    }
    return out;
  });
  // In the same segment as the answer, and behind a partial read of it.
  later = std::string(1 << 16, 'x');
  CHECK(s.submit() == one_success);
  later.clear();
  CHECK(s.submit() == one_success);
  CHECK(s.verifier.connections() == 2);
}

TEST_CASE("a connection is not used again after an answer that is not its request's",
          "[verifier]") {
  std::function<std::string(const std::string&, std::string)> lie;
  stage s([&](const std::string& target) {
    auto honest = scripted_verifier::honest(target);
    return lie ? scripted_verifier::answer{lie(target, honest.bytes)} : honest;
  });
  const auto other = [](bool of_evidence, std::string bytes) {
    return [of_evidence, bytes = std::move(bytes)](const std::string& target, std::string honest) {
      return is_evidence(target) == of_evidence ? bytes : honest;
    };
  };
  using v = scripted_verifier;
  const std::string created =
      v::http("201 Created", v::session("AAAA", "waiting"), "Location: x\r\n");
  int connections = 1;
  for (const auto& [of_evidence, answer, reason] :
       {std::tuple(false, created, errc::verifier_nonce),
        {true, v::http("200 OK", v::session("AAAA", "complete")), errc::verifier_nonce},
        {false, v::http("200 OK"), errc::verifier_rejected},
        {true, v::http("404 Not Found"), errc::verifier_rejected},
        {true, v::http("200 OK", "{}"), errc::verifier_protocol}}) {
    INFO(answer);
    lie = other(of_evidence, answer);
    CHECK(s.submit() == outcomes{{reason, 1}});
    CHECK(s.verifier.connections() == connections);
    lie = nullptr;
    CHECK(s.submit() == one_success);
    CHECK(s.verifier.connections() == ++connections);
  }
}

TEST_CASE("an error of the Verifier's own is no answer", "[verifier]") {
  stage s([](const std::string& target) {
    return is_evidence(target)
               ? scripted_verifier::answer{scripted_verifier::http("500 Internal Server Error")}
               : scripted_verifier::honest(target);
  });
  // To Evidence it may be the peer's doing, who could otherwise close the door for all others.
  for (int i = 0; i < 2 * circuit_breaker::failures_to_open; ++i) {
    CHECK(s.submit() == outcomes{{errc::verifier_unavailable, 1}});
  }
  CHECK_FALSE(s.client.is_resting());

  stage ill([](const std::string&) {
    return scripted_verifier::answer{scripted_verifier::http("503 Service Unavailable")};
  });
  CHECK(ill.submit(circuit_breaker::failures_to_open) ==
        outcomes{{errc::verifier_unavailable, circuit_breaker::failures_to_open}});
  CHECK(ill.client.is_resting());
}

TEST_CASE("the queue's delay is not held against the Verifier", "[verifier]") {
  auto delay = 450ms;
  stage s(
      [&](const std::string& target) {
        auto out = scripted_verifier::honest(target);
        out.after = is_evidence(target) ? delay : 0ms;
        return out;
      },
      {.timeout = 1000ms, .max_concurrent = 4});
  // Two rounds get their answer; the third has a tenth of its time left.
  const auto found = s.submit(12);
  CHECK(found.at(errc::verifier_overloaded) >= 4);
  CHECK(found.size() == 2);
  CHECK_FALSE(s.client.is_resting());
  CHECK(s.submit() == one_success);

  delay = 5s;
  CHECK(s.submit(circuit_breaker::failures_to_open) ==
        outcomes{{errc::verifier_timeout, circuit_breaker::failures_to_open}});
  CHECK(s.client.is_resting());
}

TEST_CASE("a Verifier is ready if its discovery document says so", "[verifier]") {
  std::string answer;
  stage s([&](const std::string& target) {
    return target.starts_with("/.well-known/") ? scripted_verifier::answer{answer}
                                               : scripted_verifier::honest(target);
  });
  using v = scripted_verifier;
  for (const auto& [says, reason] :
       {std::pair{v::http("200 OK", R"({"service-state":"READY"})"), errc::ok},
        {v::http("200 OK", R"({"service-state":"INITIALIZING"})"), errc::verifier_unavailable},
        {v::http("200 OK", "{}"), errc::verifier_unavailable},
        {v::http("200 OK", "<html>"), errc::verifier_protocol},
        {v::http("404 Not Found"), errc::verifier_rejected},
        {v::http("502 Bad Gateway"), errc::verifier_unavailable}}) {
    INFO(says);
    answer = says;
    CHECK(s.check() == reason);
    // Over a connection of its own: whatever was said there, appraisals are in step.
    CHECK(s.submit() == one_success);
  }
  answer = v::http("200 OK", R"({"service-state":"DOWN"})");
  CHECK(s.check() == errc::verifier_unavailable);
  CHECK(s.detail.find("service-state is \"DOWN\", expected \"READY\"") != std::string::npos);
}
