// The log: lines of text or of JSON, and the one line per connection, written when it ends.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <spdlog/common.h>

namespace atls::proxy {

/// Bytes to and from the peer.
struct traffic {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

/// Attestation schemes that the two sides agreed upon, or what the peer's certificate carries;
/// empty: none.
struct agreed_schemes {
  std::string peer;
  std::string own;
};

struct access_record {
  std::uint64_t connection = 0;
  std::string tunnel;
  const char* role = "";
  std::string source;
  std::string destination;
  /// The configured name that the peer's certificate bears.
  std::string peer;
  /// Hexadecimal; empty if the peer did not attest.
  std::string kid;
  /// "affirming", "unattested" or "refused".
  const char* verdict = "refused";
  /// Null before the handshake has ended.
  std::unique_ptr<const agreed_schemes> agreed;
  /// The reason for which the rules of a policy in dry run would have refused the peer.
  std::string would_refuse;
  /// The verdict is that of an earlier handshake.
  bool resumed = false;
  traffic moved;
  std::chrono::nanoseconds handshake{0};
  std::chrono::nanoseconds evidence{0};
  std::chrono::nanoseconds appraisal{0};
  std::chrono::nanoseconds duration{0};
  /// Why it ended other than in order.
  std::optional<failure> problem;

  bool admitted() const noexcept { return std::string_view(verdict) != "refused"; }
};

enum class log_format { text, json };

/// Default text.
void set_log_format(log_format format);

/// Lines of log_connection() about peers that were not admitted; ten times as many at once. Anybody
/// who can connect causes them. The rest is counted, and told in a line of its own.
void limit_refusals(unsigned per_second);

void log(spdlog::level::level_enum level, const std::string& message);

/// Information level; warnings for refused peers.
void log_connection(const access_record& record);

}  // namespace atls::proxy
