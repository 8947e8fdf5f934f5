// The reference Verifier's sessions, bounded in number and bytes.
#pragma once

#include "core/bytes.hpp"
#include "dialects/veraison/challenge_response.hpp"

#include <chrono>
#include <list>
#include <string>
#include <unordered_map>

namespace atls {

struct appraisal_session {
  challenge_response::session_status status = challenge_response::session_status::waiting;
  bytes nonce;
  std::chrono::system_clock::time_point expiry;
  /// Only when complete, and only Evidence that was affirmed.
  std::string evidence_type;
  std::string evidence;
  /// The signed Attestation Result; only when complete.
  std::string result;
};

/// Sessions by id. All live equally long, so that the oldest is the first to expire; it is also the
/// first to go where there are too many: whoever asks now is served, however many sessions others
/// leave behind. Not thread-safe.
class session_store {
 public:
  struct limits {
    std::size_t sessions = 20'000;
    std::size_t bytes = 64u << 20;
  };

  session_store() = default;
  explicit session_store(limits most) : most_(most) {}

  /// As the newest.
  void add(std::string id, appraisal_session made);
  /// The session itself, until the next call; nullptr if there is none.
  const appraisal_session* find(const std::string& id) const;
  /// Nothing happens if it has gone.
  void replace(const std::string& id, appraisal_session changed);
  void erase(const std::string& id);
  void drop_expired(std::chrono::system_clock::time_point now);

  std::size_t size() const noexcept { return by_age_.size(); }
  /// What the sessions hold, about.
  std::size_t size_bytes() const noexcept { return bytes_; }

 private:
  struct entry {
    std::string id;
    appraisal_session session;
  };

  static std::size_t size_of(const entry& one) noexcept;
  void drop(std::list<entry>::iterator one);
  void drop_excess();

  limits most_;
  std::list<entry> by_age_;
  std::unordered_map<std::string, std::list<entry>::iterator> by_id_;
  std::size_t bytes_ = 0;
};

}  // namespace atls
