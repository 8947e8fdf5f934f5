#include "proxy/log.hpp"

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

// A peer's bytes may stand in a detail: what is not UTF-8 is replaced.
std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

double milliseconds(std::chrono::nanoseconds time) {
  return std::round(std::chrono::duration<double, std::milli>(time).count() * 1000) / 1000;
}

}  // namespace

void set_log_format(log_format format) {
  chosen_format = format;
  spdlog::set_pattern(format == log_format::json
                          ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                          : "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                      spdlog::pattern_time_type::utc);
}

void log(spdlog::level::level_enum level, const std::string& message) {
  if (chosen_format == log_format::json) {
    spdlog::log(level, "\"message\":{}", dump(message));
  } else {
    spdlog::log(level, "{}", message);
  }
}

void log_connection(const access_record& record) {
  const auto level = is_ordinary(record) && record.would_refuse.empty() ? spdlog::level::info
                                                                        : spdlog::level::warn;
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
                              {"resumed", record.resumed},
                              {"bytes_sent", record.moved.bytes_sent},
                              {"bytes_recv", record.moved.bytes_received},
                              {"handshake_ms", milliseconds(record.handshake)},
                              {"evidence_ms", milliseconds(record.evidence)},
                              {"appraisal_ms", milliseconds(record.appraisal)},
                              {"duration_ms", milliseconds(record.duration)}};
  if (!record.would_refuse.empty()) {
    line["would_refuse"] = record.would_refuse;
  }
  if (record.problem) {
    line["reason"] = reason(record.problem->code);
    line["detail"] = record.problem->detail;
  }
  if (chosen_format == log_format::json) {
    const std::string object = dump(line);
    spdlog::log(level, "{}", std::string_view(object).substr(1, object.size() - 2));
    return;
  }
  std::string text = "connection";
  for (const auto& [name, value] : line.items()) {
    if (value.is_string() && value.get_ref<const std::string&>().empty()) {
      continue;
    }
    text.append(" ").append(name).append("=").append(dump(value));
  }
  spdlog::log(level, "{}", text);
}

}  // namespace atls::proxy
