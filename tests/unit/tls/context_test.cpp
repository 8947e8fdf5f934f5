// PKI: whom a handshake admits, and whom a changed configuration does. No attestation.
#include "tls/context.hpp"

#include "support/engines.hpp"
#include "support/pki.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

constexpr auto now = [] { return std::chrono::system_clock::now(); };

tls::settings server_with(const authority& ca, const certificate_request& request = {}) {
  auto out = side(tls::role::server);
  out.chain.clear();
  out.chain.push_back(ca.issue(out.key.get(), request));
  return out;
}

tls::settings client_trusting(const temporary_file& ca, std::vector<std::string> crls = {}) {
  auto out = side(tls::role::client);
  out.unsafe_unauthenticated = false;
  out.ca_file = ca.name();
  out.crl_files = std::move(crls);
  return out;
}

/// What the client makes of the server: its peer, or why there is none.
result<std::shared_ptr<const tls::judged_peer>> meet(const tls::context& client,
                                                     const tls::context& server) {
  engines e(client, server);
  if (e.shake_hands().first == step::done) {
    return e.client.attestation().peer();
  }
  return e.client.why_failed();
}

errc outcome(const tls::context& client, const tls::context& server) {
  const auto met = meet(client, server);
  return met ? errc::ok : met.error().code;
}

errc again(const tls::context& client, const tls::judged_peer& peer) {
  const auto judged = client.judge_again(peer);
  return judged ? errc::ok : judged.error().code;
}

}  // namespace

TEST_CASE("a peer of a trusted authority is admitted until its certificate expires", "[tls]") {
  const authority ca;
  const temporary_file anchor(ca.certificate());
  const tls::context client(client_trusting(anchor));
  const tls::context server(server_with(ca, {.lives = std::chrono::seconds(100)}));
  const auto met = meet(client, server);
  REQUIRE(met.has_value());
  CHECK((*met)->expires > now() + std::chrono::seconds(90));
  CHECK((*met)->expires < now() + std::chrono::seconds(110));
  CHECK((*met)->resumable_until(std::chrono::hours(1)) == (*met)->expires);
  CHECK(again(client, **met) == errc::ok);

  const tls::context late(server_with(ca, {.lives = std::chrono::seconds(-1)}));
  const auto refused = meet(client, late);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == errc::pki_expired);
  CHECK_THAT(refused.error().detail, Catch::Contains("CN=somebody, issued by CN=test CA"));
  auto aged = **met;
  aged.expires = now();
  CHECK(again(client, aged) == errc::pki_expired);
}

TEST_CASE("a date beyond the clock's is its last", "[tls]") {
  const std::unique_ptr<ASN1_TIME, openssl_deleter<ASN1_TIME_free>> never(ASN1_TIME_new());
  REQUIRE(ASN1_TIME_set_string(never.get(), "99991231235959Z") == 1);
  CHECK(tls::to_time(never.get()) > now() + std::chrono::hours(24 * 365 * 100));
}

TEST_CASE("a revoked peer is refused, and ended when the lists change", "[tls]") {
  const authority ca;
  const temporary_file anchor(ca.certificate());
  const tls::context server(server_with(ca));
  const auto& certificate = server.configured().chain.front();
  const temporary_file good(ca.revoke({}));
  const temporary_file bad(ca.revoke({certificate.get()}));
  const tls::context lenient(client_trusting(anchor));
  const tls::context informed(client_trusting(anchor, {good.name()}));
  const tls::context strict(client_trusting(anchor, {bad.name()}));
  const auto met = meet(informed, server);
  REQUIRE(met.has_value());
  CHECK(outcome(lenient, server) == errc::ok);
  CHECK(outcome(strict, server) == errc::pki_revoked);
  CHECK(again(lenient, **met) == errc::ok);
  CHECK(again(informed, **met) == errc::ok);
  CHECK(again(strict, **met) == errc::pki_revoked);
}

TEST_CASE("a list that is missing, late or forged refuses everybody", "[tls]") {
  const authority ca;
  const authority namesake;
  const authority other("another CA");
  const temporary_file anchor(ca.certificate());
  const tls::context server(server_with(ca));
  const auto met = meet(tls::context(client_trusting(anchor)), server);
  REQUIRE(met.has_value());
  struct {
    const char* what;
    tls::crl_ptr list;
    const char* detail;
    errc at_a_reload;
  } const cases[] = {
      {"another authority's", other.revoke({}), "unable to get certificate CRL",
       errc::pki_untrusted},
      {"expired", ca.revoke({}, std::chrono::seconds(-1)), "CRL has expired", errc::pki_untrusted},
      {"signed with another key", namesake.revoke({}), "CRL signature failure", errc::ok},
  };
  for (const auto& [what, list, detail, at_a_reload] : cases) {
    INFO(what);
    const temporary_file file(list);
    const tls::context client(client_trusting(anchor, {file.name()}));
    const auto refused = meet(client, server);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == errc::pki_untrusted);
    CHECK_THAT(refused.error().detail, Catch::Contains(detail));
    CHECK(again(client, **met) == at_a_reload);
  }
}

TEST_CASE("a revoked authority below the trust anchor is noticed", "[tls]") {
  const authority root;
  const authority intermediate("intermediate CA", root);
  const temporary_file anchor(root.certificate());
  auto serving = server_with(intermediate);
  serving.chain.push_back(copy(intermediate.certificate()));
  const tls::context server(std::move(serving));
  const temporary_file of_intermediate(intermediate.revoke({}));
  const temporary_file good(root.revoke({}));
  const temporary_file bad(root.revoke({intermediate.certificate()}));
  const tls::context client(client_trusting(anchor, {of_intermediate.name(), good.name()}));
  const auto met = meet(client, server);
  REQUIRE(met.has_value());
  CHECK(again(client, **met) == errc::ok);
  const tls::context strict(client_trusting(anchor, {of_intermediate.name(), bad.name()}));
  CHECK(outcome(strict, server) == errc::pki_revoked);
  CHECK(again(strict, **met) == errc::pki_revoked);
  const tls::context half(client_trusting(anchor, {of_intermediate.name()}));
  CHECK(outcome(half, server) == errc::pki_untrusted);
  CHECK(again(half, **met) == errc::pki_untrusted);
}

TEST_CASE("the end of the first list is known, and a file without one is refused", "[tls]") {
  const authority ca;
  const temporary_file anchor(ca.certificate());
  temporary_file lists(ca.revoke({}, std::chrono::hours(2)));
  lists.add(authority("another CA").revoke({}, std::chrono::hours(1)));
  const auto end = tls::context(client_trusting(anchor, {lists.name()})).revocation_lists_end();
  CHECK(end > now() + std::chrono::minutes(59));
  CHECK(end < now() + std::chrono::minutes(61));
  CHECK(tls::context(client_trusting(anchor)).revocation_lists_end() ==
        std::chrono::system_clock::time_point::max());
  CHECK_THROWS_AS(tls::context(client_trusting(anchor, {anchor.name()})), error);
  CHECK_THROWS_AS(tls::context(client_trusting(anchor, {"/nonexistent"})), error);
}

TEST_CASE("an extension number of libssl's own is refused by name", "[tls]") {
  for (const std::uint16_t code : {0xff01, 13172}) {
    CAPTURE(code);
    auto mistaken = side(tls::role::client);
    mistaken.extension_code = code;
    CHECK_THROWS_WITH(tls::context(std::move(mistaken)),
                      Catch::Contains("tls.extension_code: " + std::to_string(code)));
  }
}
