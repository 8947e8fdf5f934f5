// Two engines in memory: no sockets, no attestation. What needs a TPM and a Verifier is in
// tests/integration.
#include "tls/engine.hpp"

#include "support/engines.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

/// Asks for Evidence, and takes none.
class strict_appraiser : public appraiser {
 public:
  const attestation_schemes& accepts() const noexcept override { return accepts_; }
  result<attested_peer> appraise(appraisal_request) override {
    return failure(errc::ear_not_affirming);
  }
  result<void> judge_again(const attested_peer&, const std::string&) const override {
    return failure(errc::ear_not_affirming);
  }

 private:
  attestation_schemes accepts_{attestation_scheme::evidence(parsec_tpm_evidence::media_type)};
};

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
  strict.appraiser = std::make_shared<strict_appraiser>();
  pair_of_engines e(std::move(strict));
  CHECK(e.shake_hands().first == step::failed);
  CHECK(e.client.why_failed().code == errc::peer_not_attested);
}

// A client of libssl's own whose second ClientHello lacks the extension that the first had.
struct forgetful_client {
  std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>> context{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, openssl_deleter<SSL_free>> ssl;
  int hellos = 0;

  forgetful_client() {
    SSL_CTX_add_custom_ext(
        context.get(), tls::default_extension_code,
        SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_CERTIFICATE_REQUEST | SSL_EXT_TLS1_3_CERTIFICATE |
            SSL_EXT_TLS1_3_ONLY,
        offer_once, nullptr, this, [](auto...) { return 1; }, nullptr);
    ssl.reset(SSL_new(context.get()));
    SSL_set1_groups_list(ssl.get(), "X25519:P-256");
    SSL_set_connect_state(ssl.get());
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  }

  static int offer_once(SSL*, unsigned, unsigned context, const unsigned char** out,
                        std::size_t* size, X509*, std::size_t, int*, void* self) {
    static const bytes offer =
        tls::encode_offer({{}, {attestation_scheme::evidence(parsec_tpm_evidence::media_type)}});
    *out = offer.data();
    *size = offer.size();
    return context == SSL_EXT_CLIENT_HELLO && ++static_cast<forgetful_client*>(self)->hellos == 1;
  }

  void take(bytes_view from) {
    BIO_write(SSL_get_rbio(ssl.get()), from.data(), static_cast<int>(from.size()));
  }
  bytes step() {
    SSL_do_handshake(ssl.get());
    bytes out(BIO_ctrl_pending(SSL_get_wbio(ssl.get())));
    BIO_read(SSL_get_wbio(ssl.get()), out.data(), static_cast<int>(out.size()));
    return out;
  }
};

TEST_CASE("what a first hello offered does not count after a HelloRetryRequest", "[tls]") {
  auto strict = side(tls::role::server);
  strict.unsafe_unauthenticated = false;
  strict.appraiser = std::make_shared<strict_appraiser>();
  strict.groups = "P-256";
  const tls::context context(std::move(strict));
  receive_buffer to_server;
  tls::engine server(context, to_server, [] {});
  forgetful_client client;
  put(to_server, client.step());
  CHECK(server.advance() == step::needs_input);
  client.take(server.take_output());
  put(to_server, client.step());
  CHECK(client.hellos == 2);
  CHECK(server.advance() == step::failed);
  CHECK(server.why_failed().code == errc::peer_not_attested);
  ASYNC_cleanup_thread();
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
