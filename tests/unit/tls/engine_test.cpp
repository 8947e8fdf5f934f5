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

void move_records(tls::engine& from, tls::engine& to) {
  bytes records;
  from.take_output(records);
  bytes_view rest = records;
  while (!rest.empty()) {
    const auto space = to.input_space();
    const auto count = std::min(space.size(), rest.size());
    std::copy_n(rest.begin(), count, space.begin());
    to.input_filled(count);
    rest = rest.subspan(count);
  }
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
    step c = step::needs_input;
    step s = step::needs_input;
    for (int i = 0; i < 6 && (c == step::needs_input || s == step::needs_input); ++i) {
      if (c == step::needs_input) {
        c = client.advance_handshake();
      }
      move_records(client, server);
      if (s == step::needs_input) {
        s = server.advance_handshake();
      }
      move_records(server, client);
    }
    return {c, s};
  }
};

std::string read_text(tls::engine& from) {
  bytes buffer(1000);
  return std::string(as_text(bytes_view(buffer).first(from.read(buffer).value())));
}

}  // namespace

TEST_CASE("bytes pass between engines and each direction ends for itself", "[tls]") {
  engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  CHECK(read_text(e.server).empty());
  REQUIRE(e.client.write(as_bytes("question")).has_value());
  e.client.finish();
  move_records(e.client, e.server);
  CHECK(read_text(e.server) == "question");
  CHECK(read_text(e.server).empty());
  CHECK(e.server.peer_finished());
  CHECK_FALSE(e.client.peer_finished());

  REQUIRE(e.server.write(as_bytes("answer")).has_value());
  move_records(e.server, e.client);
  CHECK(read_text(e.client) == "answer");
}

TEST_CASE("a megabyte comes out as it went in", "[tls]") {
  engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  bytes sent(1 << 20);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  }
  bytes received;
  bytes buffer(50'000);
  for (std::size_t at = 0; at < sent.size(); at += 40'000) {
    const auto count = std::min<std::size_t>(40'000, sent.size() - at);
    REQUIRE(e.client.write(bytes_view(sent).subspan(at, count)).has_value());
    move_records(e.client, e.server);
    while (const auto size = e.server.read(buffer).value()) {
      append(received, bytes_view(buffer).first(size));
    }
  }
  CHECK(received == sent);
}

TEST_CASE("a tampered record ends the connection", "[tls]") {
  engines e;
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  REQUIRE(e.client.write(as_bytes("question")).has_value());
  bytes records;
  e.client.take_output(records);
  records.back() ^= 1;
  const auto space = e.server.input_space();
  std::copy(records.begin(), records.end(), space.begin());
  e.server.input_filled(records.size());
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
