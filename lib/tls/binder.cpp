#include "tls/binder.hpp"

#include "core/openssl.hpp"
#include "tls/key_schedule.hpp"

namespace atls::tls {
namespace {

constexpr std::uint8_t client_hello = 1;
constexpr std::uint8_t server_hello = 2;
constexpr std::uint8_t message_hash = 254;
constexpr std::size_t random_offset = 6;  // after the header and legacy_version
constexpr std::size_t random_size = 32;

// ServerHello.random of a HelloRetryRequest (RFC 8446 section 4.1.3): SHA-256("HelloRetryRequest").
constexpr std::uint8_t retry_random[random_size] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool is_retry_request(bytes_view message) {
  return message.size() >= random_offset + random_size && message[0] == server_hello &&
         equal(message.subspan(random_offset, random_size), retry_random);
}

result<bytes> hash_of(const EVP_MD* md, const std::vector<bytes>& parts) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  bytes out(static_cast<std::size_t>(EVP_MD_get_size(md)));
  bool ok = context && EVP_DigestInit_ex(context.get(), md, nullptr) == 1;
  for (const auto& part : parts) {
    ok = ok && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  }
  if (!ok || EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) {
    return failure(errc::internal, "digest: " + openssl_errors());
  }
  return out;
}

}  // namespace

void hello_transcript::add(bytes_view message) {
  if (!message.empty() && (message[0] == client_hello || message[0] == server_hello)) {
    messages_.push_back(to_bytes(message));
  }
}

result<bytes> hello_transcript::hash(const EVP_MD* md) const {
  const auto type = [this](std::size_t i) { return messages_[i].empty() ? 0 : messages_[i][0]; };
  const bool plain = messages_.size() == 2 && type(0) == client_hello && type(1) == server_hello &&
                     !is_retry_request(messages_[1]);
  const bool retried = messages_.size() == 4 && type(0) == client_hello &&
                       is_retry_request(messages_[1]) && type(2) == client_hello &&
                       type(3) == server_hello && !is_retry_request(messages_[3]);
  if (!plain && !retried) {
    return failure(errc::internal, "the hello messages are not complete");
  }
  if (plain) {
    return hash_of(md, messages_);
  }
  ATLS_TRY(const bytes first, hash_of(md, {messages_[0]}));
  bytes synthetic{message_hash, 0, 0, static_cast<std::uint8_t>(first.size())};
  append(synthetic, first);
  return hash_of(md, {synthetic, messages_[1], messages_[2], messages_[3]});
}

result<bytes> compute_binder(const hello_transcript& hellos, const EVP_MD* md, bytes_view spki) {
  ATLS_TRY(const bytes transcript_hash, hellos.hash(md));
  ATLS_TRY(const bytes key_hash, hash_of(md, {to_bytes(spki)}));
  const bytes zero(transcript_hash.size(), 0);
  bytes base(zero.size());
  ATLS_CHECK(expand_label(md, zero, "attestation base", transcript_hash, base));
  bytes binder(zero.size());
  ATLS_CHECK(expand_label(md, base, "attestation", key_hash, binder));
  return binder;
}

}  // namespace atls::tls
