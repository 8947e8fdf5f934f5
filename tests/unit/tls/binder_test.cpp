#include "tls/binder.hpp"

#include "formats/json.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;

TEST_CASE("binders of published handshakes", "[tls][vectors]") {
  const auto handshakes =
      parse_json(read_vector("binder/early-attestation-04.json"), errc::internal).value();
  std::size_t with_retry = 0;
  std::size_t with_sha384 = 0;
  for (const auto& one : handshakes) {
    tls::hello_transcript hellos;
    for (const auto& message : one["hellos"]) {
      hellos.add(from_hex(message.get<std::string>()).value());
    }
    const bool is_sha384 = one["hash"] == "sha384";
    const auto binder = tls::compute_binder(hellos, is_sha384 ? EVP_sha384() : EVP_sha256(),
                                            from_hex(one["spki"].get<std::string>()).value());
    CHECK(to_hex(binder.value()) == one["binder"].get<std::string>());
    with_retry += one["hrr"].get<bool>() ? 1 : 0;
    with_sha384 += is_sha384 ? 1 : 0;
  }
  CHECK(handshakes.size() == 8);
  CHECK(with_retry == 4);
  CHECK(with_sha384 == 4);
}

TEST_CASE("no binder without both hellos, or with hellos out of order", "[tls]") {
  bytes client_hello(60, 0);
  client_hello[0] = 1;
  bytes server_hello(60, 0);
  server_hello[0] = 2;
  const auto hash_of = [](std::initializer_list<bytes> messages) {
    tls::hello_transcript hellos;
    for (const auto& message : messages) {
      hellos.add(message);
    }
    return hellos.hash(EVP_sha256());
  };
  CHECK(hash_of({client_hello, server_hello}).has_value());
  CHECK(hash_of({}).has_error());
  CHECK(hash_of({client_hello}).has_error());
  CHECK(hash_of({server_hello, client_hello}).has_error());
  CHECK(hash_of({client_hello, server_hello, client_hello, server_hello}).has_error());
  CHECK(hash_of({client_hello, server_hello, server_hello}).has_error());
}
