#include "tls/groups.hpp"

#include "support/engines.hpp"

#include <ctime>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

/// The group that two sides agree on; nothing if they do not.
std::string agreed(const std::string& client_groups, const std::string& server_groups) {
  auto c = side(tls::role::client);
  auto s = side(tls::role::server);
  c.groups = client_groups;
  s.groups = server_groups;
  const tls::context client_context(std::move(c));
  const tls::context server_context(std::move(s));
  engines e(client_context, server_context);
  if (e.shake_hands() != std::pair(step::done, step::done)) {
    return "";
  }
  SSL* const ssl = const_cast<SSL*>(e.server.attestation().ssl());
  return SSL_group_to_name(ssl, static_cast<int>(SSL_get_negotiated_group(ssl)));
}

/// CPU seconds that a default server spends on a hello, again and again, whose only group is
/// `group`; and whether it went on with each.
std::pair<double, bool> cost_of_hello(const char* group) {
  const std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>> ctx(
      SSL_CTX_new(TLS_client_method()));
  REQUIRE(SSL_CTX_set1_groups_list(ctx.get(), group) == 1);
  const tls::ssl_ptr client(SSL_new(ctx.get()));
  SSL_set_connect_state(client.get());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_do_handshake(client.get());
  const char* hello = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(client.get()), &hello);

  const tls::context server_context(side(tls::role::server));
  constexpr int times = 20;
  int answered = 0;
  const auto started = std::clock();
  for (int i = 0; i < times; ++i) {
    receive_buffer input;
    tls::engine server(server_context, input, [] {});
    put(input, {reinterpret_cast<const std::uint8_t*>(hello), static_cast<std::size_t>(size)});
    answered += server.advance() != step::failed ? 1 : 0;
  }
  const auto spent = static_cast<double>(std::clock() - started) / CLOCKS_PER_SEC;
  ASYNC_cleanup_thread();
  return {spent, answered == times};
}

}  // namespace

TEST_CASE("elliptic curves are agreed on by default", "[tls]") {
  const std::string first = agreed("", "");
  CHECK((first == "x25519" || first == "X25519" || first == "X25519MLKEM768"));
  CHECK(agreed("P-256", "") == "secp256r1");
  CHECK(agreed("P-384", "") == "secp384r1");
  CHECK(agreed("", "P-384") == "secp384r1");
  CHECK(agreed("P-521", "").empty());
}

TEST_CASE("a hello with a finite-field group is refused for less than another costs", "[tls]") {
  const auto [normal, is_normal_answered] = cost_of_hello("X25519");
  const auto [finite_field, is_finite_field_answered] = cost_of_hello("ffdhe8192");
  CHECK(is_normal_answered);
  CHECK_FALSE(is_finite_field_answered);
  CHECK(finite_field < 1.5 * normal);
}

TEST_CASE("groups that a stranger's hello could spend are no configuration", "[tls]") {
  for (const char* bad :
       {"ffdhe2048", "ffdhe8192", "X25519:ffdhe3072", "brainpoolP256r1", "x", ""}) {
    INFO(bad);
    const auto parsed = tls::parse_groups(bad);
    REQUIRE(parsed.has_error());
    CHECK(parsed.error().code == errc::config_invalid);
  }
  CHECK(tls::parse_groups("P-384:X25519").value() == "P-384:X25519");
  auto server = side(tls::role::server);
  server.groups = "X25519:ffdhe2048";
  CHECK_THROWS_AS(tls::context(std::move(server)), error);
}
