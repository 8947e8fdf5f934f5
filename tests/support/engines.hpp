// A client's and a server's handshake in memory, without sockets.
#pragma once

#include "support/software_tpm.hpp"
#include "tls/certificates.hpp"
#include "tls/engine.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <openssl/async.h>

namespace atls::test {

/// A side that anybody may talk to; a server has a key of its own.
inline tls::settings side(tls::role role) {
  tls::settings out;
  out.role = role;
  out.unsafe_unauthenticated = true;
  if (role == tls::role::server) {
    out.key = std::shared_ptr<EVP_PKEY>(new_key().release(), EVP_PKEY_free);
    out.chain.push_back(tls::self_signed(out.key.get(), nullptr).value());
  }
  return out;
}

/// What one engine has sent is the other's input.
inline void put(receive_buffer& to, bytes_view from) {
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
  using step = tls::engine::step;

  receive_buffer to_client;
  receive_buffer to_server;
  tls::engine client;
  tls::engine server;

  /// The contexts must outlive it.
  engines(const tls::context& client_context, const tls::context& server_context)
      : client(client_context, to_client, [] {}), server(server_context, to_server, [] {}) {}
  ~engines() { ASYNC_cleanup_thread(); }

  /// Both sides' last steps.
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

}  // namespace atls::test
