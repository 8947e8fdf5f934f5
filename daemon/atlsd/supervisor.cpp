#include "atlsd/supervisor.hpp"

#include "atlsd/insecure_modes.hpp"
#include "atlsd/notify.hpp"
#include "atlsd/sandbox.hpp"
#include "core/attempt.hpp"
#include "core/memory_reserve.hpp"

#include <csignal>
#include <sys/signalfd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace atls {
namespace {

using boost::system::error_code;
using spdlog::level::err;
using spdlog::level::info;
using spdlog::level::warn;

constexpr auto heartbeat = std::chrono::milliseconds(500);
// What a reload needs at once: a Verifier client, a TPM, new listeners, files.
constexpr std::size_t descriptors_in_reserve = 16;
constexpr std::size_t memory_in_reserve_bytes = std::size_t{4} << 20;
constexpr auto look_whether_drained = std::chrono::milliseconds(10);

// Blocked before any thread starts, so that nobody but the descriptor sees them.
int block_signals() {
  sigset_t all;
  sigemptyset(&all);
  for (const int one : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&all, one);
  }
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  return ::signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
}

void use_log_settings(const config& from) {
  spdlog::set_level(spdlog::level::from_str(from.log_level));
  proxy::set_log_format(from.log_format);
  proxy::limit_refusals(from.refusals_per_second);
}

void announce(const config& from, const assembly& parts) {
  for (const auto& why : parts.absent) {
    proxy::log(warn, "goes on without a root of trust: " + why.text());
  }
  if (parts.tpm) {
    proxy::log(info, "this machine attests with kid " + to_hex(parts.tpm->instance()));
    if (parts.tpm->who().is_outdated) {
      proxy::log(warn,
                 "the identity in " + from.identity.tpm->state_dir.string() +
                     " is of version 1: every program that reaches the TPM can use its "
                     "keys, and the TPM obfuscates firmware version and counts of boots in its "
                     "Evidence; renew it as atls(1) says");
    }
    const auto& pcr = from.identity.tpm->measure_into;
    if (pcr && !parts.is_measured_alone) {
      proxy::log(warn, "another program or configuration was measured into PCR " +
                           std::to_string(*pcr) +
                           " before this one; peers will refuse this machine until it boots again");
    }
  }
  for (const auto& t : from.tunnels) {
    const std::string name = "tunnel \"" + t.name + "\"";
    proxy::log(info, name + ": " + (t.role == tls::role::client ? "egress " : "ingress ") +
                         t.listen.text() + " -> " + t.target.text() +
                         (t.presents_passport ? ", attests by passport"
                          : t.attest          ? ", attests"
                                              : "") +
                         (t.require_attestation ? ", requires attestation" : "") +
                         (t.require_attestation && t.peer.kids.empty() && t.peer.ca.empty()
                              ? " of any machine that its Verifier accepts"
                              : ""));
    for (const auto& mode : insecure_modes(from, t)) {
      proxy::log(warn, name + " " + std::string(mode.warning));
    }
  }
}

proxy::listener::beside beside(const std::optional<predecessor>& before) {
  return before ? proxy::listener::beside::predecessor : proxy::listener::beside::nobody;
}

std::string tunnels_of(const config& from) {
  return std::to_string(from.tunnels.size()) + " tunnels";
}

}  // namespace

supervisor::supervisor(std::filesystem::path file, config first, file_digests seen,
                       std::optional<predecessor> before)
    : file_(std::move(file)),
      before_(std::move(before)),
      spare_(descriptors_in_reserve),
      assembler_(registry_),
      service_(listen_specs(first), first.threads, beside(before_)),
      admin_(first.admin, beside(before_)),
      seen_first_(std::move(seen)),
      files_(io_, spare_, [this] { (void)reload("files have changed"); }),
      signals_(io_, block_signals()),
      drained_(io_),
      next_expiry_check_(io_) {
  memory_reserve::hold(memory_in_reserve_bytes);
  state_.change(
      [&](auto& now) { now.configuration = std::make_shared<const config>(std::move(first)); });
}

supervisor::~supervisor() = default;

int supervisor::run() {
  start();
  // Each handler waits for what comes next before it acts on what came, so that an exception costs
  // one action and nothing more.
  for (;;) {
    const auto outcome = attempt([this] { io_.run(); });
    if (outcome) {
      break;
    }
    proxy::log(err, "an action failed: " + outcome.error().text());
  }
  sum_up();
  return was_cut_ ? 1 : 0;
}

void supervisor::start() {
  const auto from = state_.get().configuration;
  use_log_settings(*from);
  if (from->unsafe_no_sandbox) {
    proxy::log(warn, "no sandbox: this process keeps the rights it was started with");
  } else {
    proxy::log(info, "sandbox: " + sandbox::confine_files(*from));
  }
  start_admin(*from);

  const auto parts = assembler_.assemble(*from);
  service_.start(parts->tunnels, connection_limits(*from));
  announce(*from, *parts);
  state_.change([&](auto& now) {
    now.parts = parts;
    now.stage = life::listening;
  });
  warn_of_expiry();
  if (before_) {
    if (const auto told = before_->drain(); !told) {
      proxy::log(err, "the other atlsd has not been told to end: " + told.error().text());
    }
  }
  watch_files(std::move(seen_first_));
  if (!from->unsafe_no_sandbox) {
    proxy::log(info, "sandbox: " + sandbox::confine_system_calls());
  }
  wait_for_signals();
  notify::send("READY=1\nSTATUS=" + tunnels_of(*from));
  const auto watchdog = notify::watchdog_interval();
  service_.start_heartbeats(watchdog ? *watchdog / 2 : heartbeat, [this, watchdog](auto silence) {
    silence_ms_ = silence.count();
    if (watchdog && silence <= *watchdog) {
      notify::send("WATCHDOG=1");
    }
  });
}

void supervisor::start_admin(const config& from) {
  if (!admin_.is_listening()) {
    if (from.admin.enabled) {
      proxy::log(info, "no admin endpoint: " + from.admin.listen.text() + " cannot be had");
    }
    return;
  }
  readiness_ = std::make_unique<readiness>(state_);
  admin_.start(state_, *readiness_, registry_,
               {.reload =
                    [this](auto done) {
                      boost::asio::post(io_, [this, done = std::move(done)] {
                        done(reload("asked by the admin endpoint"));
                      });
                    },
                .drain = [this] { boost::asio::post(io_, [this] { begin_drain(); }); },
                .quit = [this] { boost::asio::post(io_, [this] { handle(SIGTERM); }); },
                .silence = [this] { return std::chrono::milliseconds(silence_ms_); },
                .open_connections = [this] { return service_.open_connections(); },
                .half_open = [this] { return service_.half_open(); }});
}

void supervisor::wait_for_signals() {
  signals_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](error_code ec) {
    if (ec) {
      return;
    }
    wait_for_signals();
    signalfd_siginfo came{};
    while (::read(signals_.native_handle(), &came, sizeof came) == sizeof came) {
      handle(static_cast<int>(came.ssi_signo));
    }
  });
}

void supervisor::handle(int signal) {
  if (signal == SIGHUP) {
    (void)reload("SIGHUP");
    return;
  }
  if (end_by_) {
    // The second time: now.
    end_by_ = steady_time::min();
    return;
  }
  begin_drain();
  end_by_ = std::chrono::steady_clock::now() + state_.get().configuration->shutdown_timeout;
  end_when_drained();
}

result<void> supervisor::reload(const std::string& why) {
  if (is_draining_) {
    proxy::log(info, "reload (" + why + ") ignored: stopping");
    return failure(errc::shutting_down);
  }
  state_.change([](auto& now) { now.stage = life::reloading; });
  notify::send("RELOADING=1");
  auto watched = files_.look();
  const auto lent = spare_.lend();
  file_digests seen;
  const auto outcome =
      attempt([&] { use(std::make_shared<const config>(config::load(file_, seen).value())); });
  if (outcome) {
    proxy::log(info, "reloaded (" + why + ")");
  } else {
    proxy::log(
        err, "reload (" + why + ") failed, the old configuration stays: " + outcome.error().text());
    // Whatever is mended, here or there, is worth another try.
    seen.merge(watched);
  }
  state_.change([&](auto& now) {
    now.stage = life::listening;
    ++now.reloads;
    now.failed_reloads += outcome ? 0 : 1;
    now.last_reload = {std::chrono::system_clock::now(), std::nullopt};
    if (!outcome) {
      now.last_reload->problem = outcome.error();
    }
  });
  watch_files(std::move(seen));
  const auto status = outcome ? tunnels_of(*state_.get().configuration)
                              : "the last reload failed: " + outcome.error().text();
  notify::send("READY=1\nSTATUS=" + status.substr(0, status.find('\n')));
  return outcome;
}

void supervisor::use(std::shared_ptr<const config> next) {
  const auto present = state_.get().configuration;
  if (next->threads != present->threads ||
      next->admin.listen.text() != present->admin.listen.text()) {
    proxy::log(warn, "\"threads\" and \"admin\" change with a restart only");
  }
  const auto wanted = listen_specs(*next);
  const auto parts = assembler_.assemble(*next);
  service_.reconfigure(wanted, parts->tunnels, connection_limits(*next));
  use_log_settings(*next);
  announce(*next, *parts);
  state_.change([&](auto& now) {
    now.configuration = std::move(next);
    now.parts = parts;
  });
  warn_of_expiry();
}

void supervisor::warn_of_expiry() {
  for (const auto& text : expiry_warnings(*state_.get().parts, std::chrono::system_clock::now())) {
    proxy::log(warn, text);
  }
  next_expiry_check_.expires_after(std::chrono::hours(24));
  next_expiry_check_.async_wait([this](error_code ec) {
    if (!ec) {
      warn_of_expiry();
    }
  });
}

void supervisor::watch_files(file_digests seen) {
  const auto from = state_.get().configuration;
  if (from->watch_files) {
    files_.watch(std::move(seen), from->poll_interval);
  } else {
    files_.stop();
  }
}

void supervisor::begin_drain() {
  if (std::exchange(is_draining_, true)) {
    return;
  }
  state_.change([](auto& now) { now.stage = life::stopping; });
  notify::send("STOPPING=1\nSTATUS=waiting for connections to end");
  files_.stop();
  service_.stop_accepting();
}

void supervisor::end_when_drained() {
  const bool is_late = std::chrono::steady_clock::now() >= *end_by_;
  if (service_.is_drained() || is_late) {
    was_cut_ = !service_.is_drained();
    io_.stop();
    return;
  }
  drained_.expires_after(look_whether_drained);
  drained_.async_wait([this](error_code) { end_when_drained(); });
}

void supervisor::sum_up() const {
  const auto now = state_.get();
  std::string text = "stopped after " + std::to_string(service_.connections()) + " connections";
  if (now.parts->tpm) {
    text += ", " + std::to_string(now.parts->tpm->tpm_counters().commands) + " TPM commands";
  }
  if (now.parts->relying_party) {
    text += ", " + std::to_string(now.parts->relying_party->count().verifier_requests) +
            " Verifier requests";
  }
  proxy::log(info, text);
}

}  // namespace atls
