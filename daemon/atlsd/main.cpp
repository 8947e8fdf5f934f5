// atlsd: the attested-TLS sidecar.
#include "atlsd/check_files.hpp"
#include "atlsd/supervisor.hpp"
#include "command_line.hpp"
#include "core/memory_reserve.hpp"

#include <csignal>
#include <iostream>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  atls::memory_reserve::serve_libcrypto();
  // Our own messages say what tpm2-tss would log beside them.
  ::setenv("TSS2_LOG", "all+NONE", 0);
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app("atlsd: attested TLS for any application");
  app.set_version_flag("--version", ATLS_VERSION);
  std::filesystem::path file;
  std::string check;
  pid_t process = 0;
  app.add_option("--config", file, "configuration (JSON)")->required();
  app.add_flag("--check{files}", check,
               "only say whether the configuration is valid, with the files that it names; "
               "--check=syntax: without them")
      ->check(CLI::IsMember({"files", "syntax"}));
  app.add_option("--takeover", process,
                 "process number of the atlsd whose addresses this one takes over: it is told to "
                 "drain as soon as this one serves")
      ->check(CLI::PositiveNumber);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return atls::end_of_parsing(app, e);
  }
  try {
    atls::file_digests seen;
    auto loaded = atls::config::load(file, seen).value();
    if (check == "files") {
      atls::check_files(loaded).value();
    }
    if (!check.empty()) {
      std::cout << file.string() << ": valid\n";
      return 0;
    }
    spdlog::set_default_logger(spdlog::stderr_color_mt("atlsd"));
    raise_descriptor_limit();
    std::optional<atls::predecessor> before;
    if (process != 0) {
      before = atls::predecessor::find(process, file).value();
    }
    return atls::supervisor(file, std::move(loaded), std::move(seen), std::move(before)).run();
  } catch (const atls::error& e) {
    // Every line of a configuration's mistakes says its file itself.
    const bool is_listed = e.why().code == atls::errc::config_invalid;
    std::cerr << (is_listed ? e.why().detail : "atlsd: " + e.why().text()) << '\n';
  } catch (const std::exception& e) {
    std::cerr << "atlsd: " << e.what() << '\n';
  }
  return 1;
}
