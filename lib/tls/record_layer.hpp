// TLS 1.3 records once the handshake is over (RFC 8446 section 5). libssl negotiates and hands over
// its traffic secrets; from then on a record is encrypted from where its plaintext was read and
// decrypted where it arrived, and nothing of libssl stays in memory while a connection is idle.
#pragma once

#include "core/openssl.hpp"
#include "tls/key_schedule.hpp"
#include "tls/settings.hpp"

#include <optional>

typedef struct ssl_cipher_st SSL_CIPHER;

namespace atls::tls {

using cipher_ctx_ptr = std::unique_ptr<EVP_CIPHER_CTX, openssl_deleter<EVP_CIPHER_CTX_free>>;

/// The keys of one direction and the sequence number they are used with.
class record_keys {
 public:
  static constexpr std::size_t header_size = 5;
  static constexpr std::size_t max_plaintext = 1 << 14;
  static constexpr std::size_t max_ciphertext = max_plaintext + 256;
  /// What a record adds to its plaintext: header, content type, tag.
  static constexpr std::size_t overhead = header_size + 1 + 16;

  enum class direction { sealing, opening };

  /// `suite` is the negotiated one. Throws atls::error.
  record_keys(const SSL_CIPHER* suite, secret traffic, direction use);

  /// Writes one record of size() + overhead bytes; at most max_plaintext.
  void seal(std::uint8_t content_type, bytes_view plaintext, std::uint8_t* to);
  /// Decrypts the record behind its header, in place; where the padded inner plaintext is, or
  /// nothing if the record is not authentic.
  std::optional<std::span<std::uint8_t>> open(std::span<std::uint8_t> record);

  /// The next generation (section 7.2).
  void update();
  /// Somebody else used the first keys for that many records.
  void skip(std::uint64_t records) noexcept { sequence_ += records; }
  /// Records of this generation.
  std::uint64_t used() const noexcept { return sequence_; }

 private:
  void derive();
  void start_record(const std::uint8_t* header);

  const EVP_CIPHER* cipher_;
  const EVP_MD* md_;
  bool is_sealing_;
  secret traffic_;
  cipher_ctx_ptr context_;
  std::uint8_t iv_[12] = {};
  std::uint64_t sequence_ = 0;
};

/// Both directions of an established connection.
class record_layer {
 public:
  /// Long before AES-GCM's limit of 2^24.5 full records (section 5.5).
  static constexpr std::uint64_t records_per_key = 1 << 23;

  record_layer(role ours, const SSL_CIPHER* suite, const secret& client, const secret& server,
               std::uint64_t key_limit = records_per_key);

  /// libssl has sealed that many records with our first keys.
  void skip_sealed(std::uint64_t records) noexcept { ours_.skip(records); }

  /// Encrypts as much of `from` as has room; how much of both was used.
  struct sealed {
    std::size_t plaintext = 0;
    std::size_t records = 0;
  };
  sealed seal(bytes_view from, std::span<std::uint8_t> to);
  /// Our direction ends: a close_notify is owed.
  void finish() noexcept { alert_ = 0; }

  /// The size of the record that `in` starts with, once all of it is there.
  static std::optional<std::size_t> first_record(bytes_view in) noexcept;

  /// Opens the whole records at the front of `in`, in place: how many bytes they took. Their
  /// application data is appended to `data`, as pieces of `in`. `record_invalid` or `peer_closed`;
  /// then an alert may be owed.
  result<std::size_t> open(std::span<std::uint8_t> in, std::vector<bytes_view>& data);
  /// The peer sent close_notify; what follows is ignored.
  bool peer_finished() const noexcept { return peer_finished_; }

  /// Something of our own has to be sent: the answer to a KeyUpdate, an alert.
  bool owes_records() const noexcept { return alert_ || update_due_; }
  /// Room that those take at most.
  static constexpr std::size_t max_owed = 64;
  /// Pays; how many bytes were written.
  std::size_t seal_owed(std::span<std::uint8_t> to);

 private:
  result<void> take_record(std::uint8_t content_type, bytes_view plaintext,
                           std::vector<bytes_view>& data);
  result<void> take_handshake(bytes_view fragment);
  result<void> take_alert(bytes_view plaintext);
  failure refuse(std::uint8_t alert, const char* what);

  bool is_client_;
  std::uint64_t key_limit_;
  record_keys ours_;
  record_keys theirs_;

  /// The owed alert's description.
  std::optional<std::uint8_t> alert_;
  bool update_due_ = false;
  bool peer_finished_ = false;
  /// Records in a row without application data; a flood of them ends the connection.
  unsigned useless_records_ = 0;
  /// A handshake message in progress: its header and KeyUpdate's byte; a ticket's rest is skipped.
  std::uint8_t message_[5] = {};
  std::size_t message_size_ = 0;
  std::size_t to_skip_ = 0;
};

}  // namespace atls::tls
