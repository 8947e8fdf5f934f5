// The subcommands of atls. Each adds itself to the command line; what it returns is run if it was
// chosen, and gives the exit code.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace atls {

struct command {
  CLI::App* parsed;
  std::function<int()> run;
};

command add_provision(CLI::App& app);
command add_endorse(CLI::App& app);
command add_probe(CLI::App& app);
command add_inspect(CLI::App& app);
command add_policy_test(CLI::App& app);
command add_status(CLI::App& app);
command add_reload(CLI::App& app);
command add_drain(CLI::App& app);

}  // namespace atls
