// Two engines in memory: no sockets, no attestation. What needs a TPM and a Verifier is in
// tests/integration.
#include "tls/engine.hpp"

#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>
#include <openssl/async.h>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

tls::settings side(tls::role role) {
  tls::settings out;
  out.role = role;
  out.unsafe_unauthenticated = true;
  if (role == tls::role::server) {
    out.key = std::shared_ptr<EVP_PKEY>(new_key().release(), EVP_PKEY_free);
    out.chain.push_back(tls::self_signed(out.key.get(), nullptr).value());
  }
  return out;
}

// What one engine has sent is the other's input.
void put(receive_buffer& to, bytes_view from) {
  while (!from.empty()) {
    const auto room = to.room_to_drain();
    const auto count = std::min(room.size(), from.size());
    REQUIRE(count != 0);
    std::copy_n(from.begin(), count, room.begin());
    to.add(count);
    from = from.subspan(count);
  }
}

struct engines {
  tls::context client_context;
  tls::context server_context;
  receive_buffer to_client;
  receive_buffer to_server;
  tls::engine client{client_context, to_client, [] {}};
  tls::engine server{server_context, to_server, [] {}};

  explicit engines(tls::settings c = side(tls::role::client),
                   tls::settings s = side(tls::role::server))
      : client_context(std::move(c)), server_context(std::move(s)) {}
  ~engines() { ASYNC_cleanup_thread(); }

  // Both sides' last steps.
  std::pair<step, step> shake_hands() {
    step c = client.advance();
    step s = server.advance();
    for (bool moved = true; moved;) {
      moved = false;
      put(to_server, client.take_output());
      if (s == step::needs_input && !to_server.empty()) {
        s = server.advance();
        moved = true;
      }
      put(to_client, server.take_output());
      if (c == step::needs_input && !to_client.empty()) {
        c = client.advance();
        moved = true;
      }
    }
    return {c, s};
  }
};

}  // namespace

TEST_CASE("after a handshake both sides have records that fit", "[tls]") {
  engines e;
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
  engines e;
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
  engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::peer_not_attested);
}

TEST_CASE("a peer that nothing authenticates is refused unless that is spelled out", "[tls]") {
  auto strict = side(tls::role::client);
  strict.unsafe_unauthenticated = false;
  engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::pki_untrusted);
}

TEST_CASE("our own key held up to us is refused", "[tls]") {
  auto server = side(tls::role::server);
  auto client = side(tls::role::client);
  client.key = server.key;
  client.chain.push_back(tls::self_signed(client.key.get(), nullptr).value());
  engines e(std::move(client), std::move(server));
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
  engines e;
  put(e.to_server, as_bytes("GET / HTTP/1.0\r\n\r\n"));
  CHECK(e.server.advance() == step::failed);
  CHECK(e.server.why_failed().code == errc::handshake_failed);
}
