#include "proxy/access_log.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace atls::proxy {
namespace {

log_format chosen_format = log_format::text;

// Ends that applications and networks bring about every day.
bool is_ordinary(const access_record& record) {
  if (!record.problem) {
    return true;
  }
  switch (record.problem->code) {
    case errc::peer_closed:
    case errc::local_reset:
    case errc::truncated:
    case errc::idle_timeout:
    case errc::shutting_down:
      return true;
    default:
      return false;
  }
}

double milliseconds(std::chrono::nanoseconds time) {
  return std::round(std::chrono::duration<double, std::milli>(time).count() * 1000) / 1000;
}

}  // namespace

void set_access_log_format(log_format format) {
  chosen_format = format;
}

void write_access_log(const access_record& record) {
  const auto level = is_ordinary(record) ? spdlog::level::info : spdlog::level::warn;
  if (!spdlog::should_log(level)) {
    return;
  }
  // Insertion order is the order of the line.
  nlohmann::ordered_json line{{"conn", record.connection},
                              {"tunnel", record.tunnel},
                              {"role", record.role},
                              {"src", record.source},
                              {"dst", record.destination},
                              {"peer", record.peer},
                              {"kid", record.kid},
                              {"verdict", record.verdict},
                              {"bytes_sent", record.bytes_sent},
                              {"bytes_recv", record.bytes_received},
                              {"handshake_ms", milliseconds(record.handshake)},
                              {"evidence_ms", milliseconds(record.evidence)},
                              {"appraisal_ms", milliseconds(record.appraisal)},
                              {"duration_ms", milliseconds(record.duration)}};
  if (record.problem) {
    line["reason"] = reason(record.problem->code);
    line["detail"] = record.problem->detail;
  }
  constexpr auto keep_going = nlohmann::json::error_handler_t::replace;
  if (chosen_format == log_format::json) {
    spdlog::log(level, "{}", line.dump(-1, ' ', false, keep_going));
    return;
  }
  std::string text = "connection";
  for (const auto& [name, value] : line.items()) {
    if (value.is_string() && value.get_ref<const std::string&>().empty()) {
      continue;
    }
    text.append(" ").append(name).append("=").append(value.dump(-1, ' ', false, keep_going));
  }
  spdlog::log(level, "{}", text);
}

}  // namespace atls::proxy
