// Two engines in memory: no sockets, no attestation. What needs a TPM and a Verifier is in
// tests/integration.
#include "tls/engine.hpp"

#include "support/engines.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

/// Two engines with contexts of their own.
struct own_contexts {
  tls::context client_context;
  tls::context server_context;
};

struct pair_of_engines : own_contexts, engines {
  explicit pair_of_engines(tls::settings c = side(tls::role::client),
                           tls::settings s = side(tls::role::server))
      : own_contexts{tls::context(std::move(c)), tls::context(std::move(s))},
        engines(client_context, server_context) {}
};

}  // namespace

TEST_CASE("after a handshake both sides have records that fit", "[tls]") {
  pair_of_engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  tls::record_layer client = e.client.establish();
  tls::record_layer server = e.server.establish();
  bytes wire(1000);
  const auto sealed = client.seal(as_bytes("question"), wire);
  std::vector<bytes_view> data;
  REQUIRE(server.open(std::span(wire).first(sealed.records), data).has_value());
  REQUIRE(data.size() == 1);
  CHECK(as_text(data[0]) == "question");
}

TEST_CASE("what follows the handshake at once is left in the input", "[tls]") {
  pair_of_engines e;
  step c = e.client.advance();
  step s = e.server.advance();
  put(e.to_server, e.client.take_output());
  s = e.server.advance();
  put(e.to_client, e.server.take_output());
  c = e.client.advance();
  REQUIRE(c == step::done);
  tls::record_layer client = e.client.establish();
  bytes early(100);
  const auto sealed = client.seal(as_bytes("at once"), early);
  put(e.to_server, e.client.take_output());
  put(e.to_server, bytes_view(early).first(sealed.records));
  s = e.server.advance();
  REQUIRE(s == step::done);
  tls::record_layer server = e.server.establish();
  std::vector<bytes_view> data;
  REQUIRE(server.open(e.to_server.filled(), data).value() == sealed.records);
  REQUIRE(data.size() == 1);
  CHECK(as_text(data[0]) == "at once");
}

TEST_CASE("a peer without attestation is refused where it is required", "[tls]") {
  auto strict = side(tls::role::client);
  strict.unsafe_unauthenticated = false;
  strict.require_attestation = true;
  pair_of_engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::peer_not_attested);
}

TEST_CASE("a peer that nothing authenticates is refused unless that is spelled out", "[tls]") {
  auto strict = side(tls::role::client);
  strict.unsafe_unauthenticated = false;
  pair_of_engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::pki_untrusted);
}

TEST_CASE("our own key held up to us is refused", "[tls]") {
  auto server = side(tls::role::server);
  auto client = side(tls::role::client);
  client.key = server.key;
  client.chain.push_back(tls::self_signed(client.key.get(), nullptr).value());
  pair_of_engines e(std::move(client), std::move(server));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::reflected_key);
}

TEST_CASE("a certificate for another key is not taken", "[tls]") {
  auto server = side(tls::role::server);
  server.key = std::shared_ptr<EVP_PKEY>(new_key().release(), EVP_PKEY_free);
  try {
    const tls::context refused(std::move(server));
    FAIL("it was taken");
  } catch (const error& e) {
    CHECK(e.why().code == errc::certificate_invalid);
    CHECK_THAT(e.what(), Catch::Contains("for another key"));
  }
}

TEST_CASE("input that is no TLS fails the handshake and says so", "[tls]") {
  pair_of_engines e;
  put(e.to_server, as_bytes("GET / HTTP/1.0\r\n\r\n"));
  CHECK(e.server.advance() == step::failed);
  CHECK(e.server.why_failed().code == errc::handshake_failed);
}
