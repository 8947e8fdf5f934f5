// The records of two sides with known secrets, and what a peer may do wrong with them.
#include "tls/record_layer.hpp"

#include <catch2/catch.hpp>
#include <openssl/ssl.h>

using namespace atls;
using namespace atls::tls;

namespace {

constexpr std::uint8_t alert_type = 21;
constexpr std::uint8_t handshake_type = 22;
constexpr std::uint8_t application_data_type = 23;

using ssl_ctx = std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>>;
using ssl = std::unique_ptr<SSL, openssl_deleter<SSL_free>>;

const SSL_CIPHER* suite(const std::uint8_t (&id)[2]) {
  static const ssl_ctx context(SSL_CTX_new(TLS_method()));
  static const ssl one(SSL_new(context.get()));
  return SSL_CIPHER_find(one.get(), id);
}

constexpr std::uint8_t aes128[] = {0x13, 0x01};
constexpr std::uint8_t aes256[] = {0x13, 0x02};
constexpr std::uint8_t chacha20[] = {0x13, 0x03};

struct sides {
  const SSL_CIPHER* negotiated = suite(aes128);
  secret client_secret{bytes(32, 1)};
  secret server_secret{bytes(32, 2)};
  record_layer client{role::client, negotiated, client_secret, server_secret};
  record_layer server{role::server, negotiated, client_secret, server_secret};
  /// For records that record_layer itself would not write.
  record_keys client_keys{negotiated, client_secret, record_keys::direction::sealing};
  record_keys server_keys{negotiated, server_secret, record_keys::direction::sealing};

  static bytes record(record_keys& keys, std::uint8_t type, bytes_view content) {
    bytes out(content.size() + record_keys::overhead);
    keys.seal(type, content, out.data());
    return out;
  }
  result<std::size_t> give_server(bytes& wire) { return server.open(wire, data); }
  result<std::size_t> give_client(bytes& wire) { return client.open(wire, data); }

  std::vector<bytes_view> data;
};

bytes sealed_by(record_layer& from, bytes_view plaintext) {
  bytes out(plaintext.size() + 1000);
  const auto sealed = from.seal(plaintext, out);
  REQUIRE(sealed.plaintext == plaintext.size());
  out.resize(sealed.records);
  return out;
}

bytes owed_by(record_layer& from) {
  bytes out(record_layer::max_owed);
  out.resize(from.seal_owed(out));
  return out;
}

bytes joined(const std::vector<bytes_view>& pieces) {
  bytes out;
  for (const auto& piece : pieces) {
    append(out, piece);
  }
  return out;
}

}  // namespace

// RFC 8448 section 3, "Simple 1-RTT Handshake": the client's application data.
TEST_CASE("a published record comes out of a published secret", "[tls]") {
  const auto traffic = from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
  const auto published = from_hex(
      "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a2044"
      "1e"
      "2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4");
  REQUIRE(traffic);
  REQUIRE(published);
  record_keys keys(suite(aes128), secret(*traffic), record_keys::direction::sealing);
  bytes plaintext(50);
  for (std::size_t i = 0; i < plaintext.size(); ++i) {
    plaintext[i] = static_cast<std::uint8_t>(i);
  }
  CHECK(sides::record(keys, application_data_type, plaintext) == *published);

  record_keys opening(suite(aes128), secret(*traffic), record_keys::direction::opening);
  bytes wire = *published;
  const auto inner = opening.open(wire);
  REQUIRE(inner);
  CHECK(equal(inner->first(50), plaintext));
  CHECK(inner->back() == application_data_type);
}

TEST_CASE("what is sealed opens, with every cipher suite", "[tls]") {
  const SSL_CIPHER* const negotiated = GENERATE(suite(aes128), suite(aes256), suite(chacha20));
  const std::size_t length = negotiated == suite(aes256) ? 48 : 32;
  const secret c(bytes(length, 1));
  const secret s(bytes(length, 2));
  record_layer client(role::client, negotiated, c, s);
  record_layer server(role::server, negotiated, c, s);
  bytes plaintext(200'000);
  for (std::size_t i = 0; i < plaintext.size(); ++i) {
    plaintext[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  }
  bytes wire = sealed_by(client, plaintext);
  std::vector<bytes_view> data;
  CHECK(server.open(wire, data).value() == wire.size());
  CHECK(joined(data) == plaintext);
}

TEST_CASE("a record is opened once it is whole", "[tls]") {
  sides s;
  bytes wire = sealed_by(s.client, as_bytes("question"));
  for (std::size_t size = 0; size < wire.size(); ++size) {
    CHECK(s.server.open(std::span(wire).first(size), s.data).value() == 0);
  }
  CHECK(s.give_server(wire).value() == wire.size());
  CHECK(as_text(joined(s.data)) == "question");
}

TEST_CASE("sealing stops where the room ends", "[tls]") {
  sides s;
  const bytes plaintext(5000, 1);
  bytes small(1000);
  const auto sealed = s.client.seal(plaintext, small);
  CHECK(sealed.records == small.size());
  CHECK(sealed.plaintext == small.size() - record_keys::overhead);
  CHECK(s.client.seal(plaintext, std::span(small).first(record_keys::overhead)).records == 0);
}

TEST_CASE("a record altered anywhere, replayed or out of order is refused", "[tls]") {
  const auto refused = [](bytes wire) {
    sides s;
    const auto opened = s.give_server(wire);
    return opened.has_error() && opened.error().code == errc::record_invalid &&
           s.server.owes_records() && s.data.empty();
  };
  sides original;
  const bytes wire = sealed_by(original.client, as_bytes("question"));
  const bytes second = sealed_by(original.client, as_bytes("question"));
  // The header's second half of the version is not looked at, but authenticated.
  for (std::size_t at = 0; at < wire.size(); ++at) {
    bytes altered = wire;
    altered[at] ^= 1;
    if (at == 3) {
      continue;  // a length that waits for more
    }
    if (at == 4) {
      altered[at] = static_cast<std::uint8_t>(wire[at] - 1);
    }
    CHECK(refused(altered));
  }
  CHECK(refused(second));
  bytes twice = wire;
  append(twice, wire);
  sides s;
  CHECK(s.give_server(twice).error().code == errc::record_invalid);
}

TEST_CASE("records that TLS forbids are refused with their alert", "[tls]") {
  struct attempt {
    const char* what;
    int alert;
    bytes wire;
  };
  const auto from_client = [](std::uint8_t type, bytes content) {
    sides fresh;
    return sides::record(fresh.client_keys, type, content);
  };
  constexpr int unexpected = SSL_AD_UNEXPECTED_MESSAGE;
  const attempt attempts[] = {
      {"an alert in clear", unexpected, {alert_type, 3, 3, 0, 2, 1, 0}},
      {"a change_cipher_spec", unexpected, {20, 3, 3, 0, 1, 1}},
      {"another protocol", SSL_AD_PROTOCOL_VERSION, {application_data_type, 2, 3, 0, 20}},
      {"another version", SSL_AD_DECODE_ERROR, {application_data_type, 3, 4, 0, 20}},
      {"a record longer than allowed",
       SSL_AD_RECORD_OVERFLOW,
       {application_data_type, 3, 3, 0x41, 0x01}},
      {"a record too short for a tag",
       SSL_AD_BAD_RECORD_MAC,
       {application_data_type, 3, 3, 0, 3, 1, 2, 3}},
      {"a plaintext longer than allowed", SSL_AD_RECORD_OVERFLOW,
       from_client(application_data_type, bytes(record_keys::max_plaintext + 1))},
      {"an unknown content type, too long", unexpected,
       from_client(24, bytes(record_keys::max_plaintext + 1))},
      {"nothing but padding", unexpected, from_client(0, bytes(10, 0))},
      {"an unknown content type", unexpected, from_client(24, {1})},
      {"an empty handshake record", unexpected, from_client(handshake_type, {})},
      {"a ticket from a client", unexpected, from_client(handshake_type, {4, 0, 0, 1, 0})},
      {"a request for a certificate", unexpected, from_client(handshake_type, {13, 0, 0, 1, 0})},
      {"a KeyUpdate of two bytes", SSL_AD_DECODE_ERROR,
       from_client(handshake_type, {24, 0, 0, 2, 0, 0})},
      {"a KeyUpdate with an unknown request", SSL_AD_ILLEGAL_PARAMETER,
       from_client(handshake_type, {24, 0, 0, 1, 2})},
      {"two KeyUpdates in a record", unexpected,
       from_client(handshake_type, {24, 0, 0, 1, 0, 24, 0, 0, 1, 0})},
      {"an empty alert", unexpected, from_client(alert_type, {})},
      {"half an alert", unexpected, from_client(alert_type, {1})},
      {"two alerts in a record", unexpected, from_client(alert_type, {1, 0, 1, 0})},
  };
  for (const auto& [what, alert, wire] : attempts) {
    INFO(what);
    sides s;
    bytes copy = wire;
    const auto opened = s.give_server(copy);
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == errc::record_invalid);
    bytes answer = owed_by(s.server);
    record_keys opening(s.negotiated, s.server_secret, record_keys::direction::opening);
    const auto inner = opening.open(answer);
    REQUIRE(inner);
    CHECK(to_bytes(*inner) == bytes{2, static_cast<std::uint8_t>(alert), alert_type});
  }
}

TEST_CASE("data inside a handshake message is refused", "[tls]") {
  sides s;
  bytes wire = sides::record(s.client_keys, handshake_type, bytes{24, 0});
  append(wire, sides::record(s.client_keys, application_data_type, bytes{1}));
  CHECK(s.give_server(wire).error().code == errc::record_invalid);
}

TEST_CASE("a flood of records without data ends the connection", "[tls]") {
  sides s;
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    bytes wire = sides::record(s.client_keys, application_data_type, {});
    refused = s.give_server(wire).has_error();
  }
  CHECK(refused);
}

TEST_CASE("a ticket is ignored by a client, whole or in parts", "[tls]") {
  sides s;
  bytes wire = sides::record(s.server_keys, handshake_type, bytes{4, 0, 0, 6, 1, 2, 3});
  append(wire, sides::record(s.server_keys, handshake_type, bytes{4, 5, 6}));
  append(wire, sides::record(s.server_keys, application_data_type, as_bytes("answer")));
  CHECK(s.give_client(wire).value() == wire.size());
  CHECK(as_text(joined(s.data)) == "answer");
}

TEST_CASE("a KeyUpdate changes the peer's keys, and ours when asked", "[tls]") {
  sides s;
  bytes wire = sides::record(s.client_keys, handshake_type, bytes{24, 0, 0, 1, 1});
  s.client_keys.update();
  append(wire, sides::record(s.client_keys, application_data_type, as_bytes("newer")));
  CHECK(s.give_server(wire).value() == wire.size());
  CHECK(as_text(joined(s.data)) == "newer");

  REQUIRE(s.server.owes_records());
  bytes answer = owed_by(s.server);
  CHECK_FALSE(s.server.owes_records());
  append(answer, sealed_by(s.server, as_bytes("answer")));
  s.data.clear();
  CHECK(s.give_client(answer).value() == answer.size());
  CHECK(as_text(joined(s.data)) == "answer");
  CHECK_FALSE(s.client.owes_records());
}

TEST_CASE("keys are changed before they are worn out", "[tls]") {
  sides s;
  record_layer client(role::client, s.negotiated, s.client_secret, s.server_secret, 3);
  for (int i = 0; i < 20; ++i) {
    bytes wire = owed_by(client);
    CHECK(wire.empty() == (i == 0 || i % 3 != 0));
    append(wire, sealed_by(client, as_bytes("x")));
    REQUIRE(s.give_server(wire).value() == wire.size());
  }
  CHECK(s.data.size() == 20);
}

TEST_CASE("each direction ends for itself", "[tls]") {
  sides s;
  s.client.finish();
  bytes wire = owed_by(s.client);
  append(wire, bytes_view(bytes{1, 2, 3}));
  CHECK(s.give_server(wire).value() == wire.size());
  CHECK(s.server.peer_finished());
  CHECK_FALSE(s.client.peer_finished());
  CHECK_FALSE(s.server.owes_records());
  bytes answer = sealed_by(s.server, as_bytes("still here"));
  CHECK(s.give_client(answer).value() == answer.size());
}

TEST_CASE("a peer's fatal alert ends the connection and is named", "[tls]") {
  sides s;
  bytes wire = sides::record(s.client_keys, alert_type, bytes{2, 40});
  const auto opened = s.give_server(wire);
  REQUIRE(opened.has_error());
  CHECK(opened.error().code == errc::peer_closed);
  CHECK_THAT(opened.error().detail, Catch::Contains("handshake failure"));
  CHECK_FALSE(s.server.owes_records());
}
