// atls-verifier: a reference Verifier for development and small sites.
#include "command_line.hpp"
#include "reference_verifier/reference_verifier.hpp"

#include <csignal>
#include <iostream>

#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  atls::reference_verifier::settings given;
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
  auto* const certificate =
      app.add_option("--tls-certificate", given.tls_certificate, "PEM chain: serve https");
  auto* const key = app.add_option("--tls-key", given.tls_key, "PEM private key for it");
  certificate->needs(key);
  key->needs(certificate);
  app.add_flag("--unsafe-plaintext", given.unsafe_plaintext,
               "serve http beyond loopback, where anybody on the way can read and change it");
  app.add_option("--lifetime", given.result_lifetime_s,
                 "seconds after which Attestation Results expire (default: they do not say)")
      ->check(CLI::Range(1u, 31'536'000u));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return atls::end_of_parsing(app, e);
  }
  ::signal(SIGPIPE, SIG_IGN);
  try {
    atls::reference_verifier(given).run();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "atls-verifier: " << e.what() << '\n';
    return 1;
  }
}
