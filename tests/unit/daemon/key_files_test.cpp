#include "reference_verifier/key_files.hpp"

#include "core/files.hpp"
#include "formats/json.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;
namespace fs = std::filesystem;

namespace {

struct folder {
  folder() { fs::create_directory(path); }
  ~folder() { fs::remove_all(path); }
  const fs::path path =
      fs::temp_directory_path() / ("atls-key-files-" + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("the key of Attestation Results is made, and its public half published", "[daemon]") {
  const folder there;
  const auto file = there.path / "result.pem";
  CHECK(load_result_key(file).error().code == errc::certificate_invalid);
  make_result_key(file);
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const auto key = load_result_key(file).value();
  CHECK(key.algorithm == "ES256");
  const auto published = read_file(file.string() + ".pub", errc::internal).value();
  const auto known = parse_jwk(parse_json(published, errc::internal).value()).value();
  CHECK(verify_jws(sign_jws("{}", key), known).has_value());

  write_file(file, "rubbish", 0600).value();
  const auto refused = load_result_key(file);
  CHECK(refused.error().code == errc::certificate_invalid);
  CHECK_THAT(refused.error().detail, Catch::Contains(file.string()));
  CHECK(read_file(file.string() + ".pub", errc::internal).value() == published);
}

TEST_CASE("a certificate that cannot be used is named", "[daemon]") {
  const folder there;
  CHECK(load_tls("", "").value() == nullptr);
  const auto certificate = there.path / "tls.pem";
  const auto refused = load_tls(certificate, there.path / "tls.key");
  CHECK(refused.error().code == errc::certificate_invalid);
  CHECK_THAT(refused.error().detail, Catch::Contains(certificate.string()));
}
