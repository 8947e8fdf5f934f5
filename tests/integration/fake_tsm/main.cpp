// fake-tsm: a kernel's configfs-tsm at a mountpoint, with firmware that signs by test keys.
#include "configfs.hpp"
#include "core/files.hpp"

#include <iostream>

#include <CLI/CLI.hpp>
#include <openssl/pem.h>

namespace {

atls::bytes content_of(const std::string& file) {
  const auto text = atls::read_file(file, atls::errc::internal).value();
  return atls::to_bytes(atls::as_bytes(text));
}

atls::pkey_ptr key_of(const std::string& file) {
  const auto text = atls::read_file(file, atls::errc::internal).value();
  const atls::bio_ptr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  return atls::pkey_ptr(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
}

}  // namespace

int main(int argc, char** argv) {
  atls::test::fake_kernel kernel;
  std::string mountpoint;
  std::string report_template;
  std::string key;
  std::string auxblob;
  int milliseconds = 0;
  CLI::App app("configfs-tsm of a confidential VM, for tests");
  app.add_option("mountpoint", mountpoint)->required();
  app.add_option("--provider", kernel.provider)->required();
  app.add_option("--template", report_template, "a report of that kind")->required();
  app.add_option("--key", key, "PEM: what signs reports")->required();
  app.add_option("--auxblob", auxblob);
  app.add_option("--privlevel-floor", kernel.privlevel_floor);
  app.add_option("--takes-ms", milliseconds, "of each report");
  app.add_option("--fails-with", kernel.fails_with, "errno; 0: an empty report");
  app.add_option("--failures", kernel.failures_left, "how many reports fail");
  CLI11_PARSE(app, argc, argv);
  try {
    kernel.takes = std::chrono::milliseconds(milliseconds);
    kernel.behind =
        atls::test::make_firmware(kernel.provider, content_of(report_template), key_of(key));
    if (!auxblob.empty()) {
      kernel.auxblob = content_of(auxblob);
    }
    return atls::test::serve(kernel, mountpoint);
  } catch (const std::exception& e) {
    std::cerr << "fake-tsm: " << e.what() << '\n';
    return 1;
  }
}
