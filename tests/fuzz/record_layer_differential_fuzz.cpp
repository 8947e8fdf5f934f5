// The record layer beside libssl's own: both are the server of the same connection and get the same
// records from a client who has the keys. They must pass on the same data, and end at the same
// record with the same alert, or not at all.
//
// Input: steps of a byte each, with what they need behind it (see play()).
//
// Differences that are meant, all of which end the connection on one side at least:
// - A KeyUpdate that is not a byte long: decode_error as soon as its header says so, as RFC 8446
//   section 6.2 has it for a length that is incorrect. libssl 3.0 waits for all of it, and then
//   says illegal_parameter, or unexpected_message where something follows in its record.
// - Floods: more than 32 records in a row that bring no data end the connection. libssl counts
//   empty records to 32, warnings to 5 (a close_notify is one of them), and KeyUpdates not at all.
#include "core/openssl.hpp"
#include "fuzz.hpp"
#include "tls/context.hpp"
#include "tls/record_layer.hpp"

#include <algorithm>

using namespace atls;
using namespace atls::tls;

namespace {

constexpr std::uint8_t alert_type = 21;
constexpr std::uint8_t handshake_type = 22;

/// How far a receiver has come.
struct outcome {
  bytes data;
  bool finished = false;
  /// The alert that it sends; then it has ended.
  std::optional<std::uint8_t> alert;
  /// A fatal alert came.
  bool was_told_to_end = false;
  /// A KeyUpdate that asks for another one came.
  bool owes_key_update = false;

  bool has_ended() const { return finished || alert || was_told_to_end; }
  bool operator==(const outcome&) const = default;
};

// A pre-shared key and no key exchange: the cheapest handshake that there is.
SSL_SESSION* new_psk_session(SSL* ssl) {
  const unsigned char key[32] = {1};
  const unsigned char aes128[] = {0x13, 0x01};
  SSL_SESSION* const out = SSL_SESSION_new();
  must(SSL_SESSION_set1_master_key(out, key, sizeof key) == 1 &&
       SSL_SESSION_set_cipher(out, SSL_CIPHER_find(ssl, aes128)) == 1 &&
       SSL_SESSION_set_protocol_version(out, TLS1_3_VERSION) == 1);
  return out;
}

int use_psk(SSL* ssl, const EVP_MD*, const unsigned char** id, std::size_t* size,
            SSL_SESSION** session) {
  *id = reinterpret_cast<const unsigned char*>("x");
  *size = 1;
  *session = new_psk_session(ssl);
  return 1;
}

int find_psk(SSL* ssl, const unsigned char*, std::size_t, SSL_SESSION** session) {
  *session = new_psk_session(ssl);
  return 1;
}

struct traffic_secrets {
  secret client;
  secret server;
};

void note_secret(const SSL* ssl, const char* line) {
  auto* const to = static_cast<traffic_secrets*>(SSL_get_app_data(ssl));
  const std::string_view text(line);
  const auto value = [&] { return secret(*from_hex(text.substr(text.rfind(' ') + 1))); };
  if (text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) {
    to->client = value();
  } else if (text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) {
    to->server = value();
  }
}

ssl_ctx_ptr new_context(const SSL_METHOD* method) {
  ssl_ctx_ptr out(SSL_CTX_new(method));
  SSL_CTX_set_min_proto_version(out.get(), TLS1_3_VERSION);
  SSL_CTX_set_options(out.get(), SSL_OP_ALLOW_NO_DHE_KEX | SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(out.get(), 0);
  SSL_CTX_set_ciphersuites(out.get(), "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_psk_use_session_callback(out.get(), use_psk);
  SSL_CTX_set_psk_find_session_callback(out.get(), find_psk);
  SSL_CTX_set_keylog_callback(out.get(), note_secret);
  return out;
}

void move(BIO* from, BIO* to) {
  char some[4096];
  for (int size = 0; (size = BIO_read(from, some, sizeof some)) > 0;) {
    BIO_write(to, some, size);
  }
}

/// libssl's server, its handshake behind it.
class libssl_receiver {
 public:
  libssl_receiver() {
    static const ssl_ctx_ptr client_context = new_context(TLS_client_method());
    static const ssl_ctx_ptr server_context = new_context(TLS_server_method());
    const ssl_ptr client = new_ssl(client_context.get());
    ssl_ = new_ssl(server_context.get());
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(ssl_.get());
    constexpr int flights = 3;
    for (int i = 0; i < flights; ++i) {
      SSL_do_handshake(client.get());
      move(SSL_get_wbio(client.get()), SSL_get_rbio(ssl_.get()));
      SSL_do_handshake(ssl_.get());
      move(SSL_get_wbio(ssl_.get()), SSL_get_rbio(client.get()));
    }
    must(SSL_is_init_finished(ssl_.get()) == 1);
    SSL_set_info_callback(ssl_.get(), see);
    SSL_set_ex_data(ssl_.get(), seen_index(), &seen_);
  }

  const traffic_secrets& secrets() const { return secrets_; }
  const SSL_CIPHER* suite() const { return SSL_get_current_cipher(ssl_.get()); }

  const outcome& give(bytes_view record) {
    BIO_write(SSL_get_rbio(ssl_.get()), record.data(), static_cast<int>(record.size()));
    std::uint8_t some[4096];
    int size = 0;
    while ((size = SSL_read(ssl_.get(), some, sizeof some)) > 0) {
      append(seen_.data, {some, static_cast<std::size_t>(size)});
    }
    const bool has_failed = SSL_get_error(ssl_.get(), size) == SSL_ERROR_SSL;
    seen_.finished = !has_failed && (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    seen_.was_told_to_end = has_failed && !seen_.alert;
    if (!seen_.has_ended() && SSL_get_key_update_type(ssl_.get()) != SSL_KEY_UPDATE_NONE) {
      seen_.owes_key_update = true;
      // It would pay before it looks at the peer's next handshake message, and leave that for
      // later.
      SSL_write(ssl_.get(), some, 1);
    }
    seen_.owes_key_update = seen_.owes_key_update && !seen_.has_ended();
    (void)openssl_errors();
    return seen_;
  }

 private:
  static int seen_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
  }
  static void see(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT) {
      static_cast<outcome*>(SSL_get_ex_data(ssl, seen_index()))->alert =
          static_cast<std::uint8_t>(value);
    }
  }
  ssl_ptr new_ssl(SSL_CTX* context) {
    ssl_ptr out(SSL_new(context));
    SSL_set_bio(out.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_app_data(out.get(), &secrets_);
    return out;
  }

  traffic_secrets secrets_;
  outcome seen_;
  ssl_ptr ssl_;
};

class our_receiver {
 public:
  our_receiver(const SSL_CIPHER* suite, const traffic_secrets& secrets)
      : records_(role::server, suite, secrets.client, secrets.server),
        sent_(suite, secrets.server, record_keys::direction::opening) {}

  const outcome& give(bytes_view record) {
    append(input_, record);
    std::vector<bytes_view> pieces;
    const auto used = records_.open(input_, pieces);
    for (const auto& piece : pieces) {
      append(seen_.data, piece);
    }
    seen_.finished = records_.peer_finished();
    if (used) {
      input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(*used));
      seen_.owes_key_update = !seen_.finished && records_.owes_records();
      return seen_;
    }
    seen_.owes_key_update = false;
    seen_.was_told_to_end = used.error().code == errc::peer_closed;
    seen_.alert = owed_alert();
    must(seen_.was_told_to_end != seen_.alert.has_value());
    return seen_;
  }

 private:
  // What is owed besides is a KeyUpdate, which comes first.
  std::optional<std::uint8_t> owed_alert() {
    bytes owed(record_layer::max_owed);
    owed.resize(records_.seal_owed(owed));
    std::span<std::uint8_t> rest(owed);
    while (const auto size = record_layer::first_record(rest)) {
      const auto inner = sent_.open(rest.first(*size));
      must(inner.has_value());
      if (inner->back() == alert_type) {
        must(inner->size() == 3 && rest.size() == *size);
        return (*inner)[1];
      }
      sent_.update();
      rest = rest.subspan(*size);
    }
    return std::nullopt;
  }

  record_layer records_;
  record_keys sent_;
  bytes input_;
  outcome seen_;
};

/// The client of both, who may do anything.
class sender {
 public:
  sender(const SSL_CIPHER* suite, const secret& traffic)
      : keys_(suite, traffic, record_keys::direction::sealing) {}

  /// A record, sealed in order.
  bytes seal(std::uint8_t type, bytes_view content, std::size_t padding) {
    bytes inner = to_bytes(content);
    inner.push_back(type);
    inner.resize(inner.size() + padding, 0);
    const auto last = inner.back();
    inner.pop_back();
    bytes out(inner.size() + record_keys::overhead);
    keys_.seal(last, inner, out.data());
    return out;
  }
  void update() { keys_.update(); }

 private:
  record_keys keys_;
};

bytes some_of(byte_reader& in, std::size_t most) {
  return to_bytes(in.take(std::min(most, in.rest().size())).value());
}

// The next record of the input.
bytes play(byte_reader& in, sender& from) {
  constexpr std::size_t longest = record_keys::max_plaintext + 300;
  const auto what = in.u8().value_or(0);
  switch (what % 8) {
    case 0: {  // as it is
      const auto size = in.u8().value_or(0);
      return some_of(in, size);
    }
    case 1: {  // a KeyUpdate in order
      const std::uint8_t wants = what / 8 % 2;
      const bytes out = from.seal(handshake_type, bytes{24, 0, 0, 1, wants}, 0);
      from.update();
      return out;
    }
    case 2:  // other keys without a word
      from.update();
      return {};
    case 3: {  // long, with padding
      const auto type = in.u8().value_or(0);
      const auto size = std::min<std::size_t>(in.u16().value_or(0), longest);
      const auto padding = std::min<std::size_t>(in.u16().value_or(0), longest);
      return from.seal(type, bytes(size, what), padding);
    }
    case 4: {  // altered behind its sealing
      bytes out = from.seal(23, bytes(4, 1), 0);
      out[in.u8().value_or(0) % out.size()] ^= static_cast<std::uint8_t>(what / 8 + 1);
      return out;
    }
    default: {
      const auto type = in.u8().value_or(0);
      const auto size = in.u8().value_or(0);
      return from.seal(type, some_of(in, size), what / 8 % 4);
    }
  }
}

/// See above.
bool is_meant(const outcome& ours, const outcome& libssl, unsigned without_data) {
  if (ours.data != libssl.data) {
    return false;
  }
  if (ours.alert == SSL_AD_DECODE_ERROR) {
    return !libssl.has_ended() || libssl.alert == SSL_AD_ILLEGAL_PARAMETER ||
           libssl.alert == SSL_AD_UNEXPECTED_MESSAGE;
  }
  constexpr unsigned flood = 33;
  constexpr unsigned libssl_warnings = 5;
  const bool is_our_limit = without_data >= flood && ours.alert == SSL_AD_UNEXPECTED_MESSAGE;
  const bool is_libssl_limit =
      without_data >= libssl_warnings && !ours.alert && libssl.alert == SSL_AD_UNEXPECTED_MESSAGE;
  return is_our_limit || is_libssl_limit;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  libssl_receiver libssl;
  our_receiver ours(libssl.suite(), libssl.secrets());
  sender from(libssl.suite(), libssl.secrets().client);
  byte_reader in({data, size});
  std::size_t data_before = 0;
  unsigned without_data = 0;
  while (!in.empty()) {
    const bytes record = play(in, from);
    if (record.empty()) {
      continue;
    }
    const outcome& a = ours.give(record);
    const outcome& b = libssl.give(record);
    without_data = a.data.size() == data_before ? without_data + 1 : 0;
    data_before = a.data.size();
    if (a != b) {
      must(is_meant(a, b, without_data));
      return 0;
    }
    if (a.has_ended()) {
      return 0;
    }
  }
  return 0;
}
