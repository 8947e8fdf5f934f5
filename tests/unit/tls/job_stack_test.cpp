#include "support/engines.hpp"
#include "support/job_stacks.hpp"

#include <filesystem>
#include <fstream>

#include <openssl/pem.h>

using namespace atls;
using namespace atls::test;
using step = tls::engine::step;

namespace {

// A file with the certificate that a side shows, for the other to trust.
class trusted_file {
 public:
  explicit trusted_file(const tls::settings& of) {
    const bio_ptr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), of.chain.front().get());
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    std::ofstream(path_).write(text, size);
  }
  ~trusted_file() { std::filesystem::remove(path_); }
  std::string path() const { return path_; }

 private:
  const std::string path_ = std::filesystem::temp_directory_path() /
                            ("atls-trusted-" + std::to_string(::getpid()) + ".pem");
};

tls::settings client_with_key() {
  auto out = side(tls::role::client);
  out.key = std::shared_ptr<EVP_PKEY>(new_key().release(), EVP_PKEY_free);
  out.chain.push_back(tls::self_signed(out.key.get(), nullptr).value());
  return out;
}

}  // namespace

// An overflow would go unnoticed into the heap, and a sanitizer's frames are larger than others.
TEST_CASE("a handshake uses no more than three quarters of its job's stack", "[tls]") {
  auto client = client_with_key();
  auto server = side(tls::role::server);
  const trusted_file trusted(client);
  // Certificates of both sides and a chain to judge; another group than the client's first, which
  // takes a HelloRetryRequest.
  server.ca_file = trusted.path();
  server.unsafe_unauthenticated = false;
  client.groups = "X25519:P-384";
  server.groups = "P-384";
  (void)take_deepest_job_stack();
  {
    const tls::context client_context(std::move(client));
    const tls::context server_context(std::move(server));
    engines e(client_context, server_context);
    REQUIRE(e.shake_hands() == std::pair(step::done, step::done));
  }
  const auto deepest = take_deepest_job_stack();
  INFO(deepest << " bytes");
  CHECK(deepest > 1024);
  CHECK(deepest < job_stack_bytes * 3 / 4);
}
