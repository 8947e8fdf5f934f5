#include "proxy/log.hpp"

#include <atomic>
#include <cmath>
#include <mutex>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace atls::proxy {
namespace {

std::atomic<log_format> chosen_format = log_format::text;

// A token bucket.
class allowance {
 public:
  void limit(unsigned per_second) {
    const std::lock_guard lock(mutex_);
    per_second_ = per_second;
    tokens_ = most();
  }

  /// How many were refused since the last one that was not; nullopt: so is this.
  std::optional<std::uint64_t> take() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    const auto seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    tokens_ = std::min(most(), tokens_ + seconds * per_second_);
    if (tokens_ < 1) {
      ++refused_;
      return std::nullopt;
    }
    tokens_ -= 1;
    return std::exchange(refused_, 0);
  }

 private:
  double most() const { return 10.0 * per_second_; }

  std::mutex mutex_;
  double per_second_ = 20;
  double tokens_ = 200;
  std::uint64_t refused_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

allowance refusals;

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
std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A line, value by value. Not as one object: nlohmann allocates to destroy those, and terminates
// where there is no memory.
class access_line {
 public:
  explicit access_line(log_format format)
      : is_json_(format == log_format::json), text_(is_json_ ? "" : "connection") {}

  void add(const char* name, const nlohmann::json& scalar) {
    if (is_json_) {
      text_.append(text_.empty() ? "\"" : ",\"").append(name).append("\":").append(dump(scalar));
    } else if (scalar != "") {
      text_.append(" ").append(name).append("=").append(dump(scalar));
    }
  }
  const std::string& text() const noexcept { return text_; }

 private:
  const bool is_json_;
  std::string text_;
};

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

void limit_refusals(unsigned per_second) {
  refusals.limit(per_second);
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
  if (!record.admitted()) {
    const auto left_out = refusals.take();
    if (!left_out) {
      return;
    }
    if (*left_out != 0) {
      log(spdlog::level::warn, std::to_string(*left_out) +
                                   " lines about peers that were not admitted are left out "
                                   "(log.refusals_per_second)");
    }
  }
  access_line line(chosen_format);
  line.add("conn", record.connection);
  line.add("tunnel", record.tunnel);
  line.add("role", record.role);
  line.add("src", record.source);
  line.add("dst", record.destination);
  line.add("peer", record.peer);
  line.add("attestation", record.agreed ? record.agreed->peer : "");
  line.add("own_attestation", record.agreed ? record.agreed->own : "");
  line.add("kid", record.kid);
  line.add("verdict", record.verdict);
  line.add("resumed", record.resumed);
  line.add("bytes_sent", record.moved.bytes_sent);
  line.add("bytes_recv", record.moved.bytes_received);
  line.add("handshake_ms", milliseconds(record.handshake));
  line.add("evidence_ms", milliseconds(record.evidence));
  line.add("appraisal_ms", milliseconds(record.appraisal));
  line.add("duration_ms", milliseconds(record.duration));
  if (!record.would_refuse.empty()) {
    line.add("would_refuse", record.would_refuse);
  }
  if (record.problem) {
    line.add("reason", reason(record.problem->code));
    line.add("detail", record.problem->detail);
  }
  spdlog::log(level, "{}", line.text());
}

}  // namespace atls::proxy
