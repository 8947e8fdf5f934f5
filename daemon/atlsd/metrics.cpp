#include "atlsd/metrics.hpp"

#include "atlsd/insecure_modes.hpp"

#include <ctime>
#include <dirent.h>
#include <fstream>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

namespace atls {
namespace {

double seconds_since_epoch(std::chrono::system_clock::time_point at) {
  return std::chrono::duration<double>(at.time_since_epoch()).count();
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double open_descriptors() {
  double count = 0;
  if (DIR* directory = ::opendir("/proc/self/fd")) {
    while (::readdir(directory) != nullptr) {
      ++count;
    }
    ::closedir(directory);
  }
  // ".", ".." and the directory itself.
  return std::max(0.0, count - 3);
}

}  // namespace

metrics::metrics(std::shared_ptr<prometheus::Registry> registry, const state& of,
                 const readiness& ready)
    : registry_(std::move(registry)), state_(of), ready_(ready) {
  set("atlsd_build_info", "Version", 1, {{"version", ATLS_VERSION}});
}

std::string metrics::collect(const proxy::admission::counters& half_open) {
  const auto now = state_.get();
  // What named a tunnel or a Verifier that is gone.
  for (auto* family : std::exchange(transient_, {})) {
    registry_->Remove(*family);
  }
  set("atlsd_half_open_connections", "Peers before the verdict on them (half_open.max)",
      static_cast<double>(half_open.half_open));
  set("atlsd_handshakes_under_way",
      "Of these, how many are in their handshake (half_open.handshakes)",
      static_cast<double>(half_open.handshakes));
  collect_process();
  collect_configuration(now);
  if (now.parts && now.parts->tpm) {
    collect_tpm(*now.parts);
  }
  if (now.parts && now.parts->relying_party) {
    collect_verifiers(*now.parts);
  }
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

void metrics::collect_process() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  count("process_cpu_seconds_total", "User and system CPU time", this,
        seconds(used.ru_utime) + seconds(used.ru_stime));
  double pages = 0;
  double resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  set("process_resident_memory_bytes", "Resident memory", resident * page);
  set("process_virtual_memory_bytes", "Virtual memory", pages * page);
  set("process_open_fds", "Open file descriptors", open_descriptors());
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  set("process_max_fds", "Most open file descriptors", static_cast<double>(limit.rlim_cur));
  static const double started = static_cast<double>(std::time(nullptr));
  set("process_start_time_seconds", "Start, since the epoch", started);
}

void metrics::collect_configuration(const state::snapshot& now) {
  set("atlsd_ready", "1: this machine can attest and a Verifier is at work",
      ready_.why_not().empty() ? 1 : 0);
  count("atlsd_reloads_total", "Reloads", this, static_cast<double>(now.reloads));
  count("atlsd_reloads_failed_total", "Reloads that left the old configuration", this,
        static_cast<double>(now.failed_reloads));
  set("atlsd_last_reload_success", "1: the last reload succeeded, or there was none",
      now.last_reload && now.last_reload->problem ? 0 : 1);
  set("atlsd_last_reload_timestamp_seconds", "When the last reload was, since the epoch",
      seconds_since_epoch(now.last_reload ? now.last_reload->at : now.since));
  if (!now.configuration || !now.parts) {
    return;
  }
  if (now.parts->certificate_expires) {
    set("atlsd_certificate_expiry_timestamp_seconds", "End of our certificate, since the epoch",
        seconds_since_epoch(*now.parts->certificate_expires));
  }
  auto& insecure = prometheus::BuildGauge()
                       .Name("atlsd_insecure_mode")
                       .Help("1 for each mode in which a tunnel gives up protection")
                       .Register(*registry_);
  transient_.push_back(&insecure);
  for (const auto& t : now.configuration->tunnels) {
    for (const auto& mode : insecure_modes(*now.configuration, t)) {
      insecure.Add({{"tunnel", t.name}, {"mode", std::string(mode.label)}}).Set(1);
    }
  }
}

void metrics::collect_tpm(const assembly& parts) {
  const auto total = parts.tpm->tpm_counters();
  const void* const part = parts.tpm->queue_identity();
  set("atlsd_tpm_queue_length", "Requests that wait for the TPM",
      static_cast<double>(total.queued));
  count("atlsd_tpm_requests_total", "Requests to the TPM", part,
        static_cast<double>(total.requests));
  count("atlsd_tpm_abandoned_total",
        "Requests that were not begun, because their handshake had ended", part,
        static_cast<double>(total.abandoned));
  count("atlsd_tpm_commands_total", "TPM commands", part, static_cast<double>(total.commands));
  count("atlsd_tpm_wait_seconds_total", "Time that requests waited in the queue", part,
        seconds(total.waited));
  count("atlsd_tpm_work_seconds_total", "Time that the TPM worked", part, seconds(total.worked));
}

void metrics::collect_verifiers(const assembly& parts) {
  const auto& relying_party = parts.relying_party;
  const auto total = relying_party->count();
  const void* const part = relying_party.get();
  set("atlsd_appraisals_in_flight", "Appraisals under way or waiting",
      static_cast<double>(total.in_flight));
  count("atlsd_verifier_http_requests_total", "HTTP requests to Verifiers", part,
        static_cast<double>(total.verifier_requests));
  for (const auto& [why, times] : total.outcomes) {
    count("atlsd_appraisals_total", "Appraisals by reason; \"ok\": the peer was admitted", part,
          static_cast<double>(times), {{"reason", std::string(reason(why))}});
  }
  for (const auto& [which, times] : total.submissions) {
    count("atlsd_verifier_requests_total",
          "Evidence submitted, by reason; \"ok\": it gave an Attestation Result", part,
          static_cast<double>(times),
          {{"verifier", which.first}, {"reason", std::string(reason(which.second))}});
  }
}

void metrics::set(const char* name, const char* help, double value,
                  const std::map<std::string, std::string>& labels) {
  prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels).Set(value);
}

void metrics::count(const char* name, const char* help, const void* part, double total,
                    const std::map<std::string, std::string>& labels) {
  std::string key = name;
  for (const auto& [label, value] : labels) {
    key.append("\n").append(label).append("=").append(value);
  }
  auto& [last_part, last] = last_totals_[key];
  if (last_part != part) {
    last_part = part;
    last = 0;
  }
  prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(*registry_)
      .Add(labels)
      .Increment(std::max(0.0, total - last));
  last = total;
}

}  // namespace atls
