// Everything that is counted, in Prometheus's text format.
#pragma once

#include "atlsd/readiness.hpp"

namespace atls {

/// `registry` holds what tunnels count; this adds what the process, the TPM, the Verifiers and the
/// configuration have to say. One thread at a time.
class metrics {
 public:
  metrics(std::shared_ptr<prometheus::Registry> registry, const state& of, const readiness& ready);

  /// The whole text, with the values of this moment.
  std::string collect(const proxy::admission::counters& half_open);

 private:
  void collect_process();
  void collect_configuration(const state::snapshot& now);
  void collect_tpm(const assembly& parts);
  void collect_verifiers(const assembly& parts);

  void set(const char* name, const char* help, double value,
           const std::map<std::string, std::string>& labels = {});
  /// A counter whose total is kept elsewhere: `part` keeps it, and another part starts from
  /// nothing.
  void count(const char* name, const char* help, const void* part, double total,
             const std::map<std::string, std::string>& labels = {});

  std::shared_ptr<prometheus::Registry> registry_;
  const state& state_;
  const readiness& ready_;
  std::map<std::string, std::pair<const void*, double>> last_totals_;
  std::vector<prometheus::Family<prometheus::Gauge>*> transient_;
};

}  // namespace atls
