#include "appraisal/transport/verifier_client.hpp"

#include "support/scripted_verifier.hpp"
#include "support/software_tpm.hpp"
#include "unit/appraisal/dialects/fake_scheme.hpp"

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
    submission what{.scheme = scheme,
                    .evidence = std::make_shared<const statement>(evidence),
                    .nonce = bytes(32, ++nonces),
                    .source = std::move(source)};
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
  std::shared_ptr<fake_scheme> scheme = std::make_shared<fake_scheme>();
  statement evidence = fake_statement();
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

TEST_CASE("a type of Evidence that it does not take is not held against a Verifier", "[verifier]") {
  stage s(scripted_verifier::honest);
  s.evidence.media_type = "application/y";
  for (int i = 0; i < 2 * circuit_breaker::failures_to_open; ++i) {
    CHECK(s.submit() == outcomes{{errc::verifier_evidence_type, 1}});
  }
  CHECK(s.detail.find(s.client.name() + ": application/y") != std::string::npos);
  CHECK_FALSE(s.client.is_resting());
}

TEST_CASE("a Verifier that goes on appraising is waited for until the deadline", "[verifier]") {
  int polls = 0;
  int needed = 2;
  stage s(
      [&](const std::string& target) {
        if (!is_evidence(target) || ++polls > needed) {
          return scripted_verifier::honest(target);
        }
        const auto nonce = target.substr(target.rfind('/') + 1);
        return scripted_verifier::answer{scripted_verifier::http(
            "202 Accepted", scripted_verifier::session(nonce, "processing"))};
      },
      {.timeout = 1000ms});
  CHECK(s.submit() == one_success);
  CHECK(polls == 3);
  CHECK(s.verifier.connections() == 1);

  needed = 1000;
  for (int i = 0; i < circuit_breaker::failures_to_open; ++i) {
    CHECK_FALSE(s.client.is_resting());
    CHECK(s.submit() == outcomes{{errc::verifier_timeout, 1}});
  }
  CHECK(s.detail.find("still appraising") != std::string::npos);
  CHECK(s.client.is_resting());
}

TEST_CASE("what a Verifier refuses that is asked once is not held against it", "[verifier]") {
  std::string says = scripted_verifier::http("500 Internal Server Error", "evaluate\n1: bad");
  stage s([&](const std::string&) { return scripted_verifier::answer{says}; },
          {.type = verifier_type::trustee});
  s.scheme->verifier = verifier_type::trustee;
  for (int i = 0; i < 2 * circuit_breaker::failures_to_open; ++i) {
    CHECK(s.submit() == outcomes{{errc::verifier_rejected, 1}});
  }
  CHECK(s.detail.find(s.client.name() + ": status 500: evaluate 1: bad") != std::string::npos);
  CHECK_FALSE(s.client.is_resting());
  CHECK(s.client.requests() == 2 * circuit_breaker::failures_to_open);
  CHECK(s.check() == errc::verifier_unavailable);
  // That it breaks the connection is its own doing.
  says = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
  CHECK(s.submit(circuit_breaker::failures_to_open) ==
        outcomes{{errc::verifier_protocol, circuit_breaker::failures_to_open}});
  CHECK(s.client.is_resting());
}

TEST_CASE("a Verifier takes what its kind appraises and its list names", "[verifier]") {
  const auto client_with = [](verifier_options options) {
    return std::make_unique<stage>(scripted_verifier::honest, std::move(options));
  };
  fake_scheme scheme;
  CHECK(client_with({})->client.takes(scheme));
  CHECK_FALSE(client_with({.type = verifier_type::trustee})->client.takes(scheme));
  CHECK(client_with({.evidence_types = {"a/b", "application/x"}})->client.takes(scheme));
  CHECK_FALSE(client_with({.evidence_types = {"application/xy"}})->client.takes(scheme));
  scheme.verifier = verifier_type::trustee;
  const auto trustee = client_with({.type = verifier_type::trustee});
  CHECK(trustee->client.takes(scheme));
  CHECK(trustee->client.dialect().type() == verifier_type::trustee);
  CHECK(trustee->client.identity() == "127.0.0.1");
  CHECK(client_with({.identity = "verifier.example"})->client.identity() == "verifier.example");
}
