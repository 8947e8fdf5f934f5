// Two sides in memory, over several connections; the attested case is in tests/integration.
#include "tls/resumption.hpp"

#include "support/engines.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

tls::settings resumable(tls::role role, std::chrono::seconds lifetime = std::chrono::seconds(60)) {
  auto out = side(role);
  out.resumption = lifetime;
  return out;
}

// A whole connection; data passes behind the handshake in both directions. Whether it was resumed.
bool connect(const tls::context& client_context, const tls::context& server_context) {
  engines e(client_context, server_context);
  REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  if (const auto ticket = tls::record_layer::first_record(e.to_client.filled());
      ticket && e.client.awaits_ticket()) {
    e.client.take_ticket(e.to_client.filled().first(*ticket));
  }
  tls::record_layer client = e.client.establish();
  tls::record_layer server = e.server.establish();
  std::vector<bytes_view> data;
  e.to_client.consume(client.open(e.to_client.filled(), data).value());
  bytes wire(100);
  REQUIRE(server.open(std::span(wire).first(client.seal(as_bytes("question"), wire).records), data)
              .has_value());
  bytes back(100);
  REQUIRE(client.open(std::span(back).first(server.seal(as_bytes("answer"), back).records), data)
              .has_value());
  REQUIRE(data.size() == 2);
  CHECK(as_text(data[0]) == "question");
  CHECK(as_text(data[1]) == "answer");
  const bool gives_tickets = server_context.configured().resumption.count() != 0;
  CHECK(e.server.attestation().tickets_sent() ==
        (gives_tickets && !e.server.attestation().is_resumed() ? 1 : 0));
  CHECK(e.client.attestation().is_resumed() == e.server.attestation().is_resumed());
  return e.server.attestation().is_resumed();
}

}  // namespace

TEST_CASE("nothing is resumed unless both sides were told to", "[tls]") {
  const tls::context client(resumable(tls::role::client));
  const tls::context mute(side(tls::role::client));
  const tls::context server(resumable(tls::role::server));
  const tls::context strict(side(tls::role::server));
  CHECK_FALSE(connect(client, strict));
  CHECK_FALSE(connect(client, strict));
  CHECK_FALSE(connect(mute, server));
  CHECK_FALSE(connect(mute, server));
}

TEST_CASE("a session is resumed, again and again, and only in its own tunnel", "[tls]") {
  const tls::context client(resumable(tls::role::client));
  const tls::context server(resumable(tls::role::server));
  const tls::context other(resumable(tls::role::server));
  CHECK_FALSE(connect(client, server));
  CHECK(connect(client, server));
  CHECK(connect(client, server));
  // Another tunnel, or this one after a reload: its sessions are its own.
  CHECK_FALSE(connect(client, other));
  CHECK(connect(client, other));
}

TEST_CASE("resuming does not prolong a session", "[tls]") {
  const tls::context client(resumable(tls::role::client, std::chrono::seconds(60)));
  const tls::context server(resumable(tls::role::server, std::chrono::seconds(5)));
  CHECK_FALSE(connect(client, server));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  CHECK(connect(client, server));
  std::this_thread::sleep_for(std::chrono::milliseconds(3900));
  CHECK_FALSE(connect(client, server));
}

TEST_CASE("a session that expires while it is being resumed is refused", "[tls]") {
  const tls::context client(resumable(tls::role::client, std::chrono::seconds(4)));
  const tls::context server(resumable(tls::role::server, std::chrono::seconds(60)));
  CHECK_FALSE(connect(client, server));
  engines e(client, server);
  REQUIRE(e.client.advance() == step::needs_input);
  std::this_thread::sleep_for(std::chrono::milliseconds(4100));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::resumption_expired);
}

TEST_CASE("a session that may expire while it is being resumed is not offered", "[tls]") {
  // libssl counts whole seconds, so at least one second is left to it, and at most five.
  const tls::context client(resumable(tls::role::client, std::chrono::seconds(4)));
  const tls::context server(resumable(tls::role::server, std::chrono::seconds(4)));
  CHECK_FALSE(connect(client, server));
  for (int i = 0; i < 50; ++i) {
    connect(client, server);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}
