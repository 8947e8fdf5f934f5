// The seams: an Evidence type that no file of lib/ knows, from its machine over the wire, its
// scheme, the Verifier and its result to a rule on its facts.
#include "support/toy_scheme.hpp"

#include "support/engines.hpp"
#include "support/running_verifier.hpp"

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

// The one line that an Evidence type takes elsewhere; before anything asks for the table.
[[maybe_unused]] const bool is_known = [] {
  scheme_table().push_back([](const scheme_settings&) { return std::make_shared<toy_scheme>(); });
  return true;
}();

tls::settings machine_of(const std::string& color) {
  auto out = side(tls::role::server);
  out.presenter = std::make_shared<toy_presenter>(color);
  return out;
}

tls::settings demanding(const running_verifier& verifier) {
  auto policy = std::make_shared<appraisal_policy>();
  policy->schemes = make_schemes({});
  std::vector<std::string> problems;
  policy->rules =
      parse_rules(json::parse(R"([{"name": "go", "require": {"evidence.toy.color": "green"}}])"),
                  "rules", problems);
  REQUIRE(problems.empty());
  auto out = side(tls::role::client);
  out.unsafe_unauthenticated = false;
  out.appraiser = std::make_shared<tunnel_appraiser>(verifier.client(), std::move(policy));
  return out;
}

// Waits for the Verifier as an I/O thread does.
errc meet(const tls::context& client_context, const tls::context& server_context) {
  engines e(client_context, server_context);
  auto [client, server] = e.shake_hands();
  for (int i = 0; i < 6000 && client == step::suspended; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    client = e.client.advance();
  }
  REQUIRE(client != step::suspended);
  if (client != step::done) {
    return e.client.why_failed().code;
  }
  const auto& attested = e.client.attestation().peer()->attested;
  REQUIRE(attested);
  CHECK(attested->evidence()->media_type == toy_evidence::media_type);
  CHECK(attested->result().claims().submodules.contains("TOY"));
  return errc::ok;
}

}  // namespace

TEST_CASE("an Evidence type of a test's own is attested, appraised and judged by rules",
          "[verifier][seams]") {
  const running_verifier verifier(evidence_maker(), {std::make_shared<toy_appraiser>()});
  const tls::context client(demanding(verifier));
  CHECK(meet(client, tls::context(machine_of("green"))) == errc::ok);
  CHECK(meet(client, tls::context(machine_of("red"))) == errc::policy_requirement);
  // Of that colour the Verifier knows nothing.
  CHECK(meet(client, tls::context(machine_of("blue"))) == errc::ear_not_affirming);
}
