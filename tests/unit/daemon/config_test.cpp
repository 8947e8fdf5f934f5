#include "atlsd/config.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

constexpr const char* good = R"({
  // comments are allowed
  "identity": {"attester": "tpm", "tpm": {"tcti": "device:/dev/tpmrm0", "state_dir": "state"}},
  "verifier": {"url": "https://verifier.example:8443", "result_key": "key.jwk", "timeout": "3s"},
  "tunnels": [{"name": "web", "role": "ingress", "listen": "[::]:8443", "target": "localhost:80",
               "attest": true, "require_attestation": true, "peer": {"kid": "01aa"}}],
  "threads": 2
})";

std::string problem(const std::string& from, const std::string& to) {
  std::string text = good;
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  const auto parsed = config::parse(text, "/etc/atlsd/atlsd.json");
  REQUIRE(parsed.has_error());
  CHECK(parsed.error().code == errc::config_invalid);
  return parsed.error().detail;
}

}  // namespace

TEST_CASE("a configuration is read", "[daemon]") {
  const auto c = config::parse(good, "/etc/atlsd/atlsd.json").value();
  CHECK(c.identity.tpm->state_dir == "/etc/atlsd/state");
  CHECK(to_string(c.identity.tpm->pcrs) == "sha256:0,1,2,3,4,5,6,7");
  CHECK(c.verifiers.at(0).timeout == std::chrono::seconds(3));
  REQUIRE(c.tunnels.size() == 1);
  CHECK(c.tunnels[0].listen.host == "::");
  CHECK(c.tunnels[0].peer.kids == std::vector<bytes>{{0x01, 0xaa}});
  CHECK(c.threads == 2);
}

TEST_CASE("every mistake in a configuration names its place and what was expected", "[daemon]") {
  using Catch::Contains;
  CHECK_THAT(problem("\"threads\"", "\"thread\""),
             Contains("thread: is not a known key") && Contains("did you mean \"threads\"?"));
  CHECK_THAT(problem("\"listen\"", "\"lisen\""),
             Contains("tunnels[0].lisen: is not a known key; did you mean \"listen\"?") &&
                 Contains("tunnels[0].listen: is missing"));
  CHECK_THAT(problem("\"tcti\"", "\"tctii\""), Contains("identity.tpm.tctii"));
  CHECK_THAT(
      problem("\"ingress\"", "\"server\""),
      Contains("tunnels[0].role: found \"server\", expected one of \"egress\", \"ingress\""));
  CHECK_THAT(problem("\"3s\"", "3"), Contains("verifier.timeout: found 3, expected a duration"));
  CHECK_THAT(problem("localhost:80", "localhost"), Contains("tunnels[0].target"));
  CHECK_THAT(problem("https://verifier.example:8443", "verifier:8443"),
             Contains("verifier.url") && Contains("no http or https scheme"));
  CHECK_THAT(problem("\"01aa\"", "\"xyz\""), Contains("tunnels[0].peer.kid: found \"xyz\""));
  CHECK_THAT(problem("\"threads\": 2", "\"threads\": 0"), Contains("threads: found 0"));
  CHECK_THAT(problem("\"attest\": true,", "\"attest\": 1,"),
             Contains("tunnels[0].attest: found 1, expected true or false"));
  CHECK_THAT(problem("\"threads\": 2", "\"threads\": 2,"), Contains("parse error"));
  CHECK_THAT(problem("\"threads\": 2", "\"threads\": 2, \"threads\": 2"),
             Contains("appears twice"));
  CHECK_THAT(problem("\"state_dir\": \"state\"", "\"pcrs\": \"sha256:0,16\""),
             Contains("identity.tpm.pcrs: PCRs 16 and 23"));
}

TEST_CASE("what makes no sense together is refused", "[daemon]") {
  using Catch::Contains;
  CHECK_THAT(problem("\"attester\": \"tpm\"", "\"attester\": \"none\""),
             Contains("tunnels[0].attest: is true, but identity.attester is not \"tpm\""));
  CHECK_THAT(
      problem("\"require_attestation\": true, \"peer\": {\"kid\": \"01aa\"}", "\"peer\": {}"),
      Contains("nothing authenticates the peer"));
  CHECK_THAT(problem("\"require_attestation\": true", "\"require_attestation\": false"),
             Contains("tunnels[0].peer.kid"));
  CHECK_THAT(problem("\"kid\": \"01aa\"", "\"names\": [\"a\"]"), Contains("nobody vouches"));
  CHECK_THAT(problem("\"kid\": \"01aa\"", "\"unsafe_unauthenticated\": true"),
             Contains("contradicts"));
}

TEST_CASE("every example configuration is valid", "[daemon]") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ATLS_SOURCE "/config")) {
    if (entry.path().extension() == ".json") {
      const auto loaded = config::load(entry.path());
      INFO(entry.path() << (loaded ? "" : loaded.error().detail));
      CHECK(loaded.has_value());
      ++count;
    }
  }
  CHECK(count >= 3);
}
