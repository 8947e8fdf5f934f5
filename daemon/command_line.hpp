// What the command lines of the programs have in common.
#pragma once

#include "core/text.hpp"

#include <iostream>

#include <CLI/CLI.hpp>

namespace atls {

/// Ends a program whose command line was not parsed: 0 if help or version was asked for, otherwise
/// 2. A word that is not known is answered with the nearest that is.
inline int end_of_parsing(const CLI::App& app, const CLI::ParseError& why) {
  constexpr int usage_error = 2;
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
  }
  for (const auto& word : at->remaining()) {
    std::vector<std::string> known;
    for (const auto* command : at->get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
    for (const auto* option : at->get_options()) {
      for (const auto& name : option->get_lnames()) {
        known.push_back("--" + name);
      }
    }
    std::erase_if(known,
                  [&](const auto& one) { return one.starts_with('-') != word.starts_with('-'); });
    if (!known.empty()) {
      std::cerr << word << ": is not known; did you mean \"" << nearest(word, known) << "\"?\n";
      return usage_error;
    }
  }
  return app.exit(why) == 0 ? 0 : usage_error;
}

}  // namespace atls
