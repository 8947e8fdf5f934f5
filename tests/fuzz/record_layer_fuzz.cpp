// TLS records with a content that an authenticated peer chooses: a byte of type, two of length.
#include "fuzz.hpp"
#include "tls/record_layer.hpp"

#include <openssl/ssl.h>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  using namespace atls::tls;
  static SSL_CTX* const context = SSL_CTX_new(TLS_method());
  static SSL* const ssl = SSL_new(context);
  static const SSL_CIPHER* const suite = [] {
    const unsigned char aes128[] = {0x13, 0x01};
    return SSL_CIPHER_find(ssl, aes128);
  }();
  static const secret ours(bytes(32, 1));
  static const secret theirs(bytes(32, 2));

  record_keys peer(suite, theirs, record_keys::direction::sealing);
  record_layer receiver(role::client, suite, ours, theirs);
  bytes wire;
  byte_reader in({data, size});
  while (!in.empty()) {
    const auto type = in.u8().value_or(0);
    const auto length = std::min<std::size_t>(in.u16().value_or(0), in.rest().size());
    const auto content = in.take(length).value();
    const auto at = wire.size();
    wire.resize(at + content.size() + record_keys::overhead);
    peer.seal(type, content, wire.data() + at);
  }
  std::vector<bytes_view> pieces;
  const auto used = receiver.open(wire, pieces);
  must(!used || *used <= wire.size());
  bytes room(record_layer::max_owed);
  if (receiver.owes_records()) {
    must(receiver.seal_owed(room) <= room.size());
  }
  // And the same bytes as they are.
  record_layer other(role::server, suite, theirs, ours);
  bytes raw(data, data + size);
  pieces.clear();
  const auto opened = other.open(raw, pieces);
  must(pieces.empty());
  must(!opened || *opened <= raw.size());
  return 0;
}
