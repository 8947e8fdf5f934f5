#include "proxy/statistics.hpp"

namespace atls::proxy {
namespace {

using labels = std::map<std::string, std::string>;

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help,
                             const labels& of) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(of);
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help,
                         const labels& of) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(of);
}

prometheus::Histogram& seconds(prometheus::Registry& registry, const char* name, const char* help,
                               const labels& of) {
  // From a plain handshake on loopback to the longest deadline.
  static const prometheus::Histogram::BucketBoundaries bounds = {
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(of, bounds);
}

double in_seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

labels with_reason(labels of, std::string_view why) {
  of.emplace("reason", why);
  return of;
}

}  // namespace

tunnel_statistics::tunnel_statistics(prometheus::Registry& registry, const std::string& tunnel,
                                     const std::string& role)
    : registry_(registry),
      labels_{{"tunnel", tunnel}, {"role", role}},
      opened_(counter(registry, "atlsd_connections_opened_total", "Connections accepted", labels_)),
      open_(gauge(registry, "atlsd_connections_open", "Connections at this moment", labels_)),
      closed_(counter(registry, "atlsd_connections_closed_total",
                      "Connections that have ended, whether in order or not", labels_)),
      bytes_sent_(
          counter(registry, "atlsd_sent_bytes_total", "Application bytes to peers", labels_)),
      bytes_received_(
          counter(registry, "atlsd_received_bytes_total", "Application bytes from peers", labels_)),
      resumed_(counter(registry, "atlsd_handshakes_resumed_total",
                       "Handshakes under the verdict of an earlier one", labels_)),
      handshake_(
          seconds(registry, "atlsd_handshake_seconds", "Handshakes that succeeded", labels_)),
      plain_(seconds(registry, "atlsd_handshake_plain_seconds",
                     "What is left of them without Evidence and appraisal", labels_)),
      evidence_(seconds(registry, "atlsd_handshake_evidence_seconds",
                        "Collecting this machine's Evidence", labels_)),
      appraisal_(seconds(registry, "atlsd_handshake_appraisal_seconds",
                         "Appraising the peer's Evidence", labels_)) {}

void tunnel_statistics::opened() {
  opened_.Increment();
  open_.Increment();
}

void tunnel_statistics::handshake_ended(const access_record& record, errc outcome) {
  counter(registry_, "atlsd_handshakes_total",
          "Handshakes by the reason for which they failed; \"ok\": they succeeded",
          with_reason(labels_, reason(outcome)))
      .Increment();
  if (outcome != errc::ok) {
    return;
  }
  if (record.resumed) {
    resumed_.Increment();
  }
  handshake_.Observe(in_seconds(record.handshake));
  plain_.Observe(in_seconds(record.handshake - record.evidence - record.appraisal));
  if (record.evidence.count() != 0) {
    evidence_.Observe(in_seconds(record.evidence));
  }
  if (record.appraisal.count() != 0) {
    appraisal_.Observe(in_seconds(record.appraisal));
  }
}

void tunnel_statistics::closed(const access_record& record) {
  open_.Decrement();
  closed_.Increment();
  if (record.problem) {
    counter(registry_, "atlsd_connections_failed_total",
            "Connections that ended otherwise than in order, by reason",
            with_reason(labels_, reason(record.problem->code)))
        .Increment();
  }
}

}  // namespace atls::proxy
