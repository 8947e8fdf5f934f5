// atls: the operator's command line.
#include "atls/commands.hpp"
#include "command_line.hpp"
#include "core/memory_reserve.hpp"

#include <csignal>
#include <iostream>

int main(int argc, char** argv) {
  atls::memory_reserve::serve_libcrypto();
  // Our own messages say what tpm2-tss would log beside them.
  ::setenv("TSS2_LOG", "all+NONE", 0);
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app("atls: provision and inspect attested TLS, and command atlsd");
  app.set_version_flag("--version", ATLS_VERSION);
  app.require_subcommand(1);
  const atls::command commands[] = {atls::add_provision(app),   atls::add_endorse(app),
                                    atls::add_probe(app),       atls::add_inspect(app),
                                    atls::add_policy_test(app), atls::add_status(app),
                                    atls::add_reload(app),      atls::add_drain(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return atls::end_of_parsing(app, e);
  }
  try {
    for (const auto& one : commands) {
      if (one.parsed->parsed()) {
        return one.run();
      }
    }
  } catch (const std::exception& e) {
    std::cerr << "atls: " << e.what() << '\n';
  }
  return 2;
}
