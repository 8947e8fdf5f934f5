// Two engines in memory: no sockets, no attestation. What needs a TPM and a Verifier is in
// tests/integration.
#include "tls/engine.hpp"

#include "core/certificates.hpp"
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

namespace {

/// Takes certificates, and tells what it was given.
class certificate_appraiser final : public strict_appraiser {
 public:
  bool takes_certificates() const noexcept override { return true; }
  result<attested_peer> appraise(appraisal_request what) override {
    given = std::move(what);
    return failure(errc::ear_not_affirming);
  }

  std::optional<appraisal_request> given;
};

struct judged_by_certificate {
  std::shared_ptr<certificate_appraiser> appraiser = std::make_shared<certificate_appraiser>();

  tls::settings side_of(tls::role role) const {
    auto out = side(role);
    out.unsafe_unauthenticated = false;
    out.appraiser = appraiser;
    return out;
  }
};

// A server of libssl's own that agrees to attest, and sends nothing.
struct silent_server {
  std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>> context{SSL_CTX_new(TLS_server_method())};
  std::unique_ptr<SSL, openssl_deleter<SSL_free>> ssl;

  silent_server() {
    const auto identity = side(tls::role::server);
    SSL_CTX_use_certificate(context.get(), identity.chain.front().get());
    SSL_CTX_use_PrivateKey(context.get(), identity.key.get());
    SSL_CTX_add_custom_ext(
        context.get(), tls::default_extension_code,
        SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS | SSL_EXT_TLS1_3_ONLY, choose,
        nullptr, nullptr, [](auto...) { return 1; }, nullptr);
    ssl.reset(SSL_new(context.get()));
    SSL_set_accept_state(ssl.get());
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  }

  static int choose(SSL*, unsigned, unsigned, const unsigned char** out, std::size_t* size, X509*,
                    std::size_t, int*, void*) {
    static const auto chosen = attestation_scheme::evidence(parsec_tpm_evidence::media_type);
    *out = chosen.encoded().data();
    *size = chosen.encoded().size();
    return 1;
  }

  bytes answer(bytes_view to) {
    BIO_write(SSL_get_rbio(ssl.get()), to.data(), static_cast<int>(to.size()));
    SSL_do_handshake(ssl.get());
    bytes out(BIO_ctrl_pending(SSL_get_wbio(ssl.get())));
    BIO_read(SSL_get_wbio(ssl.get()), out.data(), static_cast<int>(out.size()));
    return out;
  }
};

}  // namespace

TEST_CASE("where certificates will do, a peer's is what is judged, on either side", "[tls]") {
  for (const auto judging : {tls::role::client, tls::role::server}) {
    const judged_by_certificate by;
    auto other = side(judging == tls::role::client ? tls::role::server : tls::role::client);
    if (!other.key) {
      other.key = std::shared_ptr<EVP_PKEY>(new_key().release(), EVP_PKEY_free);
      other.chain.push_back(tls::self_signed(other.key.get(), nullptr).value());
    }
    const auto certificate = der_of(other.chain.front().get());
    const auto key = spki_of(other.key.get()).value();
    auto own = by.side_of(judging);
    if (judging == tls::role::client) {
      pair_of_engines(std::move(own), std::move(other)).shake_hands();
    } else {
      pair_of_engines(std::move(other), std::move(own)).shake_hands();
    }
    REQUIRE(by.appraiser->given);
    CHECK_FALSE(by.appraiser->given->scheme);
    CHECK(by.appraiser->given->certificate == certificate);
    CHECK(by.appraiser->given->leaf_spki == key);
    CHECK(by.appraiser->given->cmw.empty());
    CHECK(by.appraiser->given->binder.empty());
  }
}

TEST_CASE("a certificate does not stand in for what was agreed upon", "[tls]") {
  const judged_by_certificate by;
  const tls::context context(by.side_of(tls::role::client));
  receive_buffer to_client;
  tls::engine client(context, to_client, [] {});
  silent_server server;
  CHECK(client.advance() == step::needs_input);
  put(to_client, server.answer(client.take_output()));
  CHECK(client.advance() == step::failed);
  CHECK(client.why_failed().code == errc::peer_not_attested);
  CHECK_THAT(client.why_failed().detail, Catch::Contains("sent nothing"));
  CHECK_FALSE(by.appraiser->given);
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
