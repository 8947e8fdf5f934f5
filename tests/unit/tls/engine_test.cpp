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

// What one engine sent waits here until the other wants input.
using wire = bytes;

void take_from(tls::engine& from, wire& on) {
  bytes records = from.take_output();
  append(on, records);
  return_pooled_bytes(std::move(records));
}

bool give_to(tls::engine& to, wire& on) {
  const auto space = to.input_space();
  const auto count = std::min(space.size(), on.size());
  std::copy_n(on.begin(), count, space.begin());
  to.input_filled(count);
  on.erase(on.begin(), on.begin() + static_cast<std::ptrdiff_t>(count));
  return count != 0;
}

struct engines {
  tls::context client_context;
  tls::context server_context;
  tls::engine client{client_context, [] {}};
  tls::engine server{server_context, [] {}};

  explicit engines(tls::settings c = side(tls::role::client),
                   tls::settings s = side(tls::role::server))
      : client_context(std::move(c)), server_context(std::move(s)) {}
  ~engines() { ASYNC_cleanup_thread(); }

  // Both sides' last steps.
  std::pair<step, step> shake_hands() {
    step c = client.advance_handshake();
    step s = server.advance_handshake();
    for (bool moved = true; moved;) {
      take_from(client, to_server);
      take_from(server, to_client);
      moved = false;
      if (s == step::needs_input && give_to(server, to_server)) {
        s = server.advance_handshake();
        moved = true;
      }
      if (c == step::needs_input && give_to(client, to_client)) {
        c = client.advance_handshake();
        moved = true;
      }
    }
    return {c, s};
  }

  wire to_server;
  wire to_client;
};

// All that can be read of what is on the wire.
bytes read_all(tls::engine& reader, wire& on) {
  bytes out;
  bytes buffer(50'000);
  do {
    while (const auto size = reader.read(buffer).value()) {
      append(out, bytes_view(buffer).first(size));
    }
  } while (give_to(reader, on));
  return out;
}

}  // namespace

TEST_CASE("bytes pass between engines and each direction ends for itself", "[tls]") {
  engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  REQUIRE(e.client.write(as_bytes("question")).has_value());
  e.client.finish();
  take_from(e.client, e.to_server);
  CHECK(as_text(read_all(e.server, e.to_server)) == "question");
  CHECK(e.server.peer_finished());
  CHECK_FALSE(e.client.peer_finished());

  REQUIRE(e.server.write(as_bytes("answer")).has_value());
  take_from(e.server, e.to_client);
  CHECK(as_text(read_all(e.client, e.to_client)) == "answer");
}

TEST_CASE("a megabyte comes out as it went in", "[tls]") {
  engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  bytes sent(1 << 20);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  }
  bytes received;
  for (std::size_t at = 0; at < sent.size(); at += 40'000) {
    const auto count = std::min<std::size_t>(40'000, sent.size() - at);
    REQUIRE(e.client.write(bytes_view(sent).subspan(at, count)).has_value());
    take_from(e.client, e.to_server);
    append(received, read_all(e.server, e.to_server));
  }
  CHECK(received == sent);
}

TEST_CASE("a tampered record ends the connection", "[tls]") {
  engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  REQUIRE(e.client.write(as_bytes("question")).has_value());
  take_from(e.client, e.to_server);
  e.to_server.back() ^= 1;
  give_to(e.server, e.to_server);
  bytes buffer(100);
  CHECK(e.server.read(buffer).error().code == errc::peer_closed);
  CHECK(e.server.has_output());  // the alert
}

TEST_CASE("a peer without attestation is refused where it is required", "[tls]") {
  auto strict = side(tls::role::client);
  strict.unsafe_unauthenticated = false;
  strict.require_attestation = true;
  engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.handshake_failure().code == errc::peer_not_attested);
}

TEST_CASE("a peer that nothing authenticates is refused unless that is spelled out", "[tls]") {
  auto strict = side(tls::role::client);
  strict.unsafe_unauthenticated = false;
  engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.handshake_failure().code == errc::pki_untrusted);
}

TEST_CASE("our own key held up to us is refused", "[tls]") {
  auto server = side(tls::role::server);
  auto client = side(tls::role::client);
  client.key = server.key;
  client.chain.push_back(tls::self_signed(client.key.get(), nullptr).value());
  engines e(std::move(client), std::move(server));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.handshake_failure().code == errc::reflected_key);
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
  const auto space = e.server.input_space();
  const std::string text = "GET / HTTP/1.0\r\n\r\n";
  std::copy(text.begin(), text.end(), space.begin());
  e.server.input_filled(text.size());
  CHECK(e.server.advance_handshake() == step::failed);
  CHECK(e.server.handshake_failure().code == errc::handshake_failed);
}
