#include "reference_verifier/session_store.hpp"

namespace atls {
namespace {

// Nodes, buckets and the heap's own words.
constexpr std::size_t overhead_bytes = 128;

}  // namespace

void session_store::add(std::string id, appraisal_session made) {
  erase(id);
  by_age_.push_back({std::move(id), std::move(made)});
  by_id_.emplace(by_age_.back().id, std::prev(by_age_.end()));
  bytes_ += size_of(by_age_.back());
  drop_excess();
}

const appraisal_session* session_store::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second->session;
}

void session_store::replace(const std::string& id, appraisal_session changed) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    return;
  }
  auto& one = *found->second;
  bytes_ -= size_of(one);
  one.session = std::move(changed);
  bytes_ += size_of(one);
  drop_excess();
}

void session_store::erase(const std::string& id) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    drop(found->second);
  }
}

void session_store::drop_expired(std::chrono::system_clock::time_point now) {
  while (!by_age_.empty() && by_age_.front().session.expiry <= now) {
    drop(by_age_.begin());
  }
}

std::size_t session_store::size_of(const entry& one) noexcept {
  const auto& s = one.session;
  return sizeof one + overhead_bytes + 2 * one.id.size() + s.nonce.size() + s.evidence_type.size() +
         s.evidence.size() + s.result.size();
}

void session_store::drop(std::list<entry>::iterator one) {
  bytes_ -= size_of(*one);
  by_id_.erase(one->id);
  by_age_.erase(one);
}

void session_store::drop_excess() {
  while (by_age_.size() > most_.sessions || bytes_ > most_.bytes) {
    drop(by_age_.begin());
  }
}

}  // namespace atls
