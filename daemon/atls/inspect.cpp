// atls inspect: what is in a file.
#include "atls/commands.hpp"
#include "atls/documents.hpp"
#include "core/files.hpp"
#include "formats/ear_token.hpp"

#include <iostream>

namespace atls {

command add_inspect(CLI::App& app) {
  struct arguments {
    std::filesystem::path file;
    std::filesystem::path result_key;
  };
  const auto given = std::make_shared<arguments>();
  auto* added = app.add_subcommand(
      "inspect", "show Evidence, a CMW, an Attestation Result or a CoRIM as JSON (unverified)");
  added->add_option("FILE", given->file)->required();
  added->add_option(
      "--result-key", given->result_key,
      "the Verifier's keys (JWK, JWK Set or PEM): verify an Attestation Result's signature");
  return {added, [given] {
            const auto content = read_file(given->file, errc::config_invalid).value();
            auto out = describe_document(as_bytes(content)).value();
            if (!given->result_key.empty()) {
              const auto text = read_file(given->result_key, errc::config_invalid).value();
              const auto keys = parse_public_keys(text).value();
              out["signature"] =
                  is_signed_by(as_bytes(content), keys) ? "valid" : "not by this key";
            }
            std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
            return 0;
          }};
}

}  // namespace atls
