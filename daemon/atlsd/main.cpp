// atlsd: the attested-TLS sidecar.
#include "atlsd/assembly.hpp"
#include "atlsd/notify.hpp"
#include "proxy/service.hpp"

#include <csignal>
#include <iostream>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace {

using namespace atls;

void start_log(const config& from) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("atlsd"));
  spdlog::set_level(spdlog::level::from_str(from.log_level));
  proxy::set_log_format(from.log_format);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

void announce(const config& from, const assembly& parts) {
  using spdlog::level::info;
  if (parts.tpm) {
    proxy::log(info, "this machine attests with kid " + to_hex(parts.tpm->kid()));
    const auto& pcr = from.identity.tpm->measure_into;
    if (pcr && !parts.is_measured_alone) {
      proxy::log(spdlog::level::warn,
                 "another program or configuration was measured into PCR " + std::to_string(*pcr) +
                     " before this one; peers will refuse this machine until it boots again");
    }
  }
  for (const auto& t : from.tunnels) {
    proxy::log(info, "tunnel \"" + t.name + "\": " +
                         (t.role == tls::role::client ? "egress " : "ingress ") + t.listen.text() +
                         " -> " + t.target.text() + (t.attest ? ", attests" : "") +
                         (t.require_attestation ? ", requires attestation" : ""));
    if (!t.require_attestation) {
      proxy::log(spdlog::level::warn,
                 "tunnel \"" + t.name + "\" does not require attestation of its peer" +
                     (t.peer.unsafe_unauthenticated ? ", nor any authentication" : ""));
    }
    if (t.unsafe_plaintext) {
      proxy::log(spdlog::level::warn,
                 "tunnel \"" + t.name + "\": the plaintext side may leave this host");
    }
    if (t.policy.dry_run) {
      proxy::log(spdlog::level::warn,
                 "tunnel \"" + t.name + "\": dry run, the policy's rules refuse nobody");
    }
  }
}

void sum_up(const assembly& parts, const proxy::service& service) {
  std::string text = "stopped after " + std::to_string(service.connections()) + " connections";
  if (parts.tpm) {
    text += ", " + std::to_string(parts.tpm->tpm_counters().commands) + " TPM commands";
  }
  if (parts.services->relying_party) {
    text += ", " + std::to_string(parts.services->relying_party->count().verifier_requests) +
            " Verifier requests";
  }
  proxy::log(spdlog::level::info, text);
}

// Until a signal comes. Meanwhile the service manager's watchdog is fed, as long as every I/O
// thread runs: one that hangs is silent, and is dealt with by a restart.
void wait_for_stop(const sigset_t& signals, proxy::service& service) {
  const auto interval = notify::watchdog_interval();
  if (!interval) {
    int signal = 0;
    sigwait(&signals, &signal);
    return;
  }
  service.start_heartbeats(*interval / 2);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*interval);
  const timespec pause{.tv_sec = seconds.count(),
                       .tv_nsec = std::chrono::nanoseconds(*interval - seconds).count()};
  while (sigtimedwait(&signals, nullptr, &pause) < 0) {
    if (service.longest_silence() <= *interval) {
      notify::send("WATCHDOG=1");
    }
  }
}

int run(const config& from) {
  start_log(from);
  raise_descriptor_limit();
  // Blocked before any thread starts, so that only sigwait() sees them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  const assembly parts = assemble(from);
  proxy::service service(parts.tunnels, from.threads, from.max_connections);
  announce(from, parts);

  notify::send("READY=1\nSTATUS=" + std::to_string(parts.tunnels.size()) + " tunnels");
  wait_for_stop(stop_signals, service);
  notify::send("STOPPING=1\nSTATUS=waiting for connections to end");
  const bool all_ended = service.drain(from.shutdown_timeout);
  sum_up(parts, service);
  return all_ended ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  // Our own messages say what tpm2-tss would log beside them.
  ::setenv("TSS2_LOG", "all+NONE", 0);
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app("atlsd: attested TLS for any application");
  app.set_version_flag("--version", ATLS_VERSION);
  std::filesystem::path file;
  bool check = false;
  app.add_option("--config", file, "configuration (JSON)")->required();
  app.add_flag("--check", check, "only say whether the configuration is valid");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto loaded = config::load(file).value();
    if (check) {
      std::cout << file.string() << ": valid\n";
      return 0;
    }
    return run(loaded);
  } catch (const std::exception& e) {
    std::cerr << "atlsd: " << e.what() << '\n';
    return 1;
  }
}
