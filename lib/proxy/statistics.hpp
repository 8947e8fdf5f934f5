// What is counted of connections, in Prometheus's own types: safe on all threads, never per byte.
#pragma once

#include "core/error.hpp"
#include "proxy/log.hpp"

#include <memory>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace atls::proxy {

/// One tunnel's, labelled with its name and role.
class tunnel_statistics {
 public:
  tunnel_statistics(prometheus::Registry& registry, const std::string& tunnel,
                    const std::string& role);

  void opened();
  /// Bytes to and from the peer.
  void sent(std::size_t bytes) { bytes_sent_.Increment(static_cast<double>(bytes)); }
  void received(std::size_t bytes) { bytes_received_.Increment(static_cast<double>(bytes)); }
  /// Finished (errc::ok) or failed; the times are the record's.
  void handshake_ended(const access_record& record, errc outcome);
  void closed(const access_record& record);

 private:
  using labels = std::map<std::string, std::string>;

  prometheus::Registry& registry_;
  const labels labels_;
  prometheus::Counter& opened_;
  prometheus::Gauge& open_;
  prometheus::Counter& closed_;
  prometheus::Counter& bytes_sent_;
  prometheus::Counter& bytes_received_;
  prometheus::Counter& resumed_;
  prometheus::Histogram& handshake_;
  prometheus::Histogram& plain_;
  prometheus::Histogram& evidence_;
  prometheus::Histogram& appraisal_;
};

}  // namespace atls::proxy
