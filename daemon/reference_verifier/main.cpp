// atls-verifier: a reference Verifier for development and small sites.
#include "command_line.hpp"
#include "core/files.hpp"
#include "core/openssl.hpp"
#include "core/text.hpp"
#include "reference_verifier/http_server.hpp"

#include <csignal>
#include <iostream>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <openssl/pem.h>

namespace {

using namespace atls;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct arguments {
  std::string listen = "127.0.0.1:8443";
  std::filesystem::path endorsements;
  std::filesystem::path result_key;
  std::string required_pcrs{default_pcrs};
  std::string tls_certificate;
  std::string tls_key;
};

// The key that signs Attestation Results: read, or made at the first start. The public half goes
// into FILE.pub as a JWK, for the Relying Parties.
jws_key load_result_key(const std::filesystem::path& file) {
  pkey_ptr key;
  if (std::filesystem::exists(file)) {
    const auto pem = read_file(file, errc::certificate_invalid).value();
    const bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key) {
      throw error({errc::certificate_invalid,
                   file.string() + " holds no PEM private key: " + openssl_errors()});
    }
  } else {
    key.reset(EVP_EC_gen("P-256"));
    const bio_ptr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    write_file(file, {text, static_cast<std::size_t>(size)}, 0600).value();
  }
  auto algorithm = algorithm_for(key.get()).value();
  jws_key out{std::move(algorithm), std::move(key)};
  write_file(file.string() + ".pub", to_jwk(out).dump() + "\n", 0644).value();
  return out;
}

tcp::endpoint parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  boost::system::error_code ec;
  auto host = colon == std::string::npos ? "" : text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  const auto address = asio::ip::make_address(host, ec);
  const auto port =
      colon == std::string::npos ? std::nullopt : parse_number(text.substr(colon + 1), 65535);
  if (ec || !port) {
    throw error({errc::config_invalid,
                 "--listen \"" + text + "\"; expected ADDRESS:PORT, such as 127.0.0.1:8443"});
  }
  return {address, static_cast<std::uint16_t>(*port)};
}

std::shared_ptr<asio::ssl::context> make_tls(const arguments& given) {
  if (given.tls_certificate.empty() && given.tls_key.empty()) {
    return nullptr;
  }
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  tls->use_certificate_chain_file(given.tls_certificate);
  tls->use_private_key_file(given.tls_key, asio::ssl::context::pem);
  return tls;
}

void run(const arguments& given) {
  auto endorsements = endorsement_store::load(given.endorsements).value();
  const auto anchors = endorsements.anchor_count();
  const auto references = endorsements.reference_count();
  auto service = std::make_shared<verifier_service>(
      verifier_service::options{load_result_key(given.result_key), std::move(endorsements),
                                parse_pcr_selection(given.required_pcrs).value()});
  asio::io_context io(1);
  asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&io](boost::system::error_code, int) { io.stop(); });
  const auto local = serve_http(io, parse_listen(given.listen), make_tls(given), service);
  std::cout << "atls-verifier: listening on " << local << ", " << anchors << " trust anchors, "
            << references << " sets of reference values, requires " << given.required_pcrs
            << std::endl;
  io.run();
}

}  // namespace

int main(int argc, char** argv) {
  arguments given;
  CLI::App app(
      "Reference Verifier: appraises PARSEC_TPM Evidence over Veraison's API.\n"
      "For development and small sites.");
  app.set_version_flag("--version", ATLS_VERSION);
  app.add_option("--listen", given.listen, "ADDRESS:PORT")->capture_default_str();
  app.add_option("--endorsements", given.endorsements, "directory with CoRIM files (*.cbor)")
      ->required();
  app.add_option("--result-key", given.result_key,
                 "private key (PEM) that signs Attestation Results; made if absent, its public "
                 "half goes to FILE.pub")
      ->required();
  app.add_option("--required-pcrs", given.required_pcrs, "PCRs that every quote must cover")
      ->capture_default_str();
  app.add_option("--tls-certificate", given.tls_certificate, "PEM chain: serve https");
  app.add_option("--tls-key", given.tls_key, "PEM private key for it");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return end_of_parsing(app, e);
  }
  ::signal(SIGPIPE, SIG_IGN);
  try {
    run(given);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "atls-verifier: " << e.what() << '\n';
    return 1;
  }
}
