#include "tls/record_layer.hpp"

#include <algorithm>
#include <cstring>

#include <openssl/ssl.h>

namespace atls::tls {
namespace {

// ContentType (RFC 8446 section 5.1), HandshakeType (section 4), AlertDescription (section 6).
constexpr std::uint8_t alert_type = 21;
constexpr std::uint8_t handshake_type = 22;
constexpr std::uint8_t application_data_type = 23;
constexpr std::uint8_t new_session_ticket = 4;
constexpr std::uint8_t key_update = 24;
constexpr std::uint8_t close_notify = 0;
constexpr std::uint8_t user_canceled = 90;

constexpr std::size_t tag_size = 16;
constexpr unsigned max_useless_records = 32;

using cipher_ptr = std::unique_ptr<EVP_CIPHER, openssl_deleter<EVP_CIPHER_free>>;

// Fetched once: a fetch costs more than a small record.
const EVP_CIPHER* cipher_of(const SSL_CIPHER* suite) {
  static const cipher_ptr aes128(EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr));
  static const cipher_ptr aes256(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  static const cipher_ptr chacha20(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  switch (SSL_CIPHER_get_protocol_id(suite)) {
    case 0x1301:
      return aes128.get();
    case 0x1302:
      return aes256.get();
    case 0x1303:
      return chacha20.get();
    default:
      return nullptr;
  }
}

}  // namespace

record_keys::record_keys(const SSL_CIPHER* suite, secret traffic, direction use)
    : cipher_(cipher_of(suite)),
      md_(SSL_CIPHER_get_handshake_digest(suite)),
      is_sealing_(use == direction::sealing),
      traffic_(traffic),
      context_(EVP_CIPHER_CTX_new()) {
  if (cipher_ == nullptr || md_ == nullptr || !context_) {
    throw error({errc::internal, std::string("no record protection for ") +
                                     SSL_CIPHER_get_name(suite) + ": " + openssl_errors()});
  }
  derive();
}

void record_keys::derive() {
  std::uint8_t key[EVP_MAX_KEY_LENGTH];
  const std::span<std::uint8_t> used(key,
                                     static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher_)));
  expand_label(md_, traffic_.view(), "key", {}, used).value();
  expand_label(md_, traffic_.view(), "iv", {}, iv_).value();
  const int ok =
      EVP_CipherInit_ex(context_.get(), cipher_, nullptr, key, nullptr, is_sealing_ ? 1 : 0);
  OPENSSL_cleanse(key, sizeof key);
  if (ok != 1) {
    throw error({errc::internal, "record keys: " + openssl_errors()});
  }
}

void record_keys::update() {
  bytes next(traffic_.view().size());
  expand_label(md_, traffic_.view(), "traffic upd", {}, next).value();
  traffic_ = secret(next);
  OPENSSL_cleanse(next.data(), next.size());
  sequence_ = 0;
  derive();
}

// The per-record nonce (section 5.3) and the additional data, which is the header (section 5.2).
void record_keys::start_record(const std::uint8_t* header) {
  std::uint8_t nonce[sizeof iv_];
  std::memcpy(nonce, iv_, sizeof nonce);
  for (std::size_t i = 0; i < sizeof sequence_; ++i) {
    nonce[sizeof nonce - 1 - i] ^= static_cast<std::uint8_t>(sequence_ >> (8 * i));
  }
  ++sequence_;
  int size = 0;
  EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce, -1);
  EVP_CipherUpdate(context_.get(), nullptr, &size, header, header_size);
}

void record_keys::seal(std::uint8_t content_type, bytes_view plaintext, std::uint8_t* to) {
  const auto size = plaintext.size() + 1 + tag_size;
  to[0] = application_data_type;
  to[1] = 3;
  to[2] = 3;
  to[3] = static_cast<std::uint8_t>(size >> 8);
  to[4] = static_cast<std::uint8_t>(size);
  start_record(to);
  std::uint8_t* at = to + header_size;
  int count = 0;
  int ok = 1;
  if (!plaintext.empty()) {
    ok = EVP_EncryptUpdate(context_.get(), at, &count, plaintext.data(),
                           static_cast<int>(plaintext.size()));
    at += plaintext.size();
  }
  // A stream cipher underneath: every update gives as many bytes as it takes.
  ok &= EVP_EncryptUpdate(context_.get(), at, &count, &content_type, 1);
  ok &= EVP_EncryptFinal_ex(context_.get(), at, &count);
  ok &= EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, at + 1);
  if (ok != 1) {
    throw error({errc::internal, "sealing a record: " + openssl_errors()});
  }
}

std::optional<std::span<std::uint8_t>> record_keys::open(std::span<std::uint8_t> record) {
  if (record.size() < overhead) {
    return std::nullopt;
  }
  const auto inner = record.subspan(header_size, record.size() - header_size - tag_size);
  EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, inner.data() + inner.size());
  start_record(record.data());
  int count = 0;
  if (EVP_DecryptUpdate(context_.get(), inner.data(), &count, inner.data(),
                        static_cast<int>(inner.size())) != 1 ||
      EVP_DecryptFinal_ex(context_.get(), inner.data(), &count) != 1) {
    return std::nullopt;
  }
  return inner;
}

record_layer::record_layer(role ours, const SSL_CIPHER* suite, const secret& client,
                           const secret& server, std::uint64_t key_limit)
    : is_client_(ours == role::client),
      key_limit_(key_limit),
      ours_(suite, is_client_ ? client : server, record_keys::direction::sealing),
      theirs_(suite, is_client_ ? server : client, record_keys::direction::opening) {}

record_layer::sealed record_layer::seal(bytes_view from, std::span<std::uint8_t> to) {
  sealed out;
  while (out.plaintext < from.size() && to.size() - out.records > record_keys::overhead) {
    const auto size = std::min({from.size() - out.plaintext, record_keys::max_plaintext,
                                to.size() - out.records - record_keys::overhead});
    ours_.seal(application_data_type, from.subspan(out.plaintext, size), to.data() + out.records);
    out.plaintext += size;
    out.records += size + record_keys::overhead;
  }
  update_due_ = update_due_ || ours_.used() >= key_limit_;
  return out;
}

std::size_t record_layer::seal_owed(std::span<std::uint8_t> to) {
  std::size_t size = 0;
  if (update_due_) {
    // update_not_requested (section 4.6.3): the other direction is the peer's affair.
    constexpr std::uint8_t message[] = {key_update, 0, 0, 1, 0};
    ours_.seal(handshake_type, message, to.data());
    ours_.update();
    update_due_ = false;
    size += sizeof message + record_keys::overhead;
  }
  if (alert_) {
    const std::uint8_t level = *alert_ == close_notify ? 1 : 2;
    const std::uint8_t message[] = {level, *alert_};
    ours_.seal(alert_type, message, to.data() + size);
    alert_.reset();
    size += sizeof message + record_keys::overhead;
  }
  return size;
}

failure record_layer::refuse(std::uint8_t alert, const char* what) {
  (void)openssl_errors();
  alert_ = alert;
  return {errc::record_invalid, what};
}

std::optional<std::size_t> record_layer::first_record(bytes_view in) noexcept {
  if (in.size() < record_keys::header_size) {
    return std::nullopt;
  }
  const std::size_t size =
      record_keys::header_size + (static_cast<std::size_t>(in[3]) << 8 | in[4]);
  return in.size() < size ? std::nullopt : std::optional(size);
}

result<std::size_t> record_layer::open(std::span<std::uint8_t> in, std::vector<bytes_view>& data) {
  std::size_t used = 0;
  while (!peer_finished_ && in.size() - used >= record_keys::header_size) {
    const auto* const header = in.data() + used;
    const std::size_t size = static_cast<std::size_t>(header[3]) << 8 | header[4];
    if (header[1] != 3) {
      return refuse(SSL_AD_PROTOCOL_VERSION, "a record of another protocol");
    }
    if (header[0] != application_data_type) {
      return refuse(SSL_AD_UNEXPECTED_MESSAGE, "a record that is not encrypted");
    }
    if (header[2] != 3) {
      return refuse(SSL_AD_DECODE_ERROR, "a record of another version");
    }
    if (size > record_keys::max_ciphertext) {
      return refuse(SSL_AD_RECORD_OVERFLOW, "a record longer than TLS allows");
    }
    if (in.size() - used - record_keys::header_size < size) {
      break;
    }
    const auto inner = theirs_.open(in.subspan(used, record_keys::header_size + size));
    if (!inner) {
      return refuse(SSL_AD_BAD_RECORD_MAC, "a record that is not authentic");
    }
    used += record_keys::header_size + size;
    auto content = *inner;
    while (!content.empty() && content.back() == 0) {
      content = content.first(content.size() - 1);
    }
    if (content.empty()) {
      return refuse(SSL_AD_UNEXPECTED_MESSAGE, "a record without a content type");
    }
    ATLS_CHECK(take_record(content.back(), content.first(content.size() - 1), data));
  }
  return peer_finished_ ? in.size() : used;
}

result<void> record_layer::take_record(std::uint8_t content_type, bytes_view plaintext,
                                       std::vector<bytes_view>& data) {
  if (content_type != application_data_type && content_type != handshake_type &&
      content_type != alert_type) {
    return refuse(SSL_AD_UNEXPECTED_MESSAGE, "a record of an unknown content type");
  }
  if (plaintext.size() > record_keys::max_plaintext) {
    return refuse(SSL_AD_RECORD_OVERFLOW, "a plaintext longer than TLS allows");
  }
  const bool is_useful = content_type == application_data_type && !plaintext.empty();
  useless_records_ = is_useful ? 0 : useless_records_ + 1;
  if (useless_records_ > max_useless_records) {
    return refuse(SSL_AD_UNEXPECTED_MESSAGE, "a flood of records without data");
  }
  if (content_type == handshake_type) {
    return take_handshake(plaintext);
  }
  if (message_size_ != 0 || to_skip_ != 0) {
    return refuse(SSL_AD_UNEXPECTED_MESSAGE, "another record inside a handshake message");
  }
  if (content_type == alert_type) {
    return take_alert(plaintext);
  }
  if (is_useful) {
    data.push_back(plaintext);
  }
  return {};
}

// Of the messages after a handshake (section 4.6) a KeyUpdate is obeyed and a ticket ignored;
// client authentication afterwards was not offered.
result<void> record_layer::take_handshake(bytes_view fragment) {
  if (fragment.empty()) {
    return refuse(SSL_AD_UNEXPECTED_MESSAGE, "an empty handshake record");
  }
  constexpr std::size_t message_header_size = 4;
  while (!fragment.empty()) {
    if (to_skip_ != 0) {
      const auto count = std::min(to_skip_, fragment.size());
      fragment = fragment.subspan(count);
      to_skip_ -= count;
      continue;
    }
    message_[message_size_++] = fragment.front();
    fragment = fragment.subspan(1);
    if (message_size_ < message_header_size) {
      continue;
    }
    const std::size_t size = static_cast<std::size_t>(message_[1]) << 16 |
                             static_cast<std::size_t>(message_[2]) << 8 | message_[3];
    if (message_[0] == new_session_ticket && is_client_) {
      to_skip_ = size;
      message_size_ = 0;
      continue;
    }
    if (message_[0] != key_update) {
      return refuse(SSL_AD_UNEXPECTED_MESSAGE, "a handshake message that nothing asked for");
    }
    if (size != 1) {
      return refuse(SSL_AD_DECODE_ERROR, "a malformed KeyUpdate");
    }
    if (message_size_ == message_header_size) {
      continue;
    }
    // Keys change at a record boundary (section 5.1).
    if (!fragment.empty()) {
      return refuse(SSL_AD_UNEXPECTED_MESSAGE, "something behind a KeyUpdate in its record");
    }
    if (message_[4] > 1) {
      return refuse(SSL_AD_ILLEGAL_PARAMETER, "a KeyUpdate with an unknown request");
    }
    message_size_ = 0;
    theirs_.update();
    update_due_ = update_due_ || message_[4] == 1;
  }
  return {};
}

result<void> record_layer::take_alert(bytes_view plaintext) {
  // Alerts are not fragmented, nor joined (section 5.1).
  if (plaintext.size() != 2) {
    return refuse(SSL_AD_UNEXPECTED_MESSAGE, "a malformed alert");
  }
  switch (plaintext[1]) {
    case close_notify:
      peer_finished_ = true;
      return {};
    case user_canceled:
      return {};
    default:
      return failure(errc::peer_closed,
                     std::string("with the alert ") + SSL_alert_desc_string_long(plaintext[1]));
  }
}

}  // namespace atls::tls
