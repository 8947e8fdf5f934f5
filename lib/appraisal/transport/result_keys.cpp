#include "appraisal/transport/result_keys.hpp"

#include <algorithm>

namespace atls {
namespace {

// A Verifier that shows other keys each time is not given room for all of them.
constexpr std::size_t max_retired = 4;

bool is_same(const jws_key& a, const jws_key& b) {
  return a.algorithm == b.algorithm && EVP_PKEY_eq(a.key.get(), b.key.get()) == 1;
}

void remove_all_of(const result_keys::list& what, result_keys::list& from) {
  std::erase_if(from, [&](const auto& key) {
    return std::ranges::any_of(what, [&](const auto& one) { return is_same(*one, *key); });
  });
}

}  // namespace

void result_keys::set_current(list keys, clock::time_point now) {
  auto gone = std::move(current_);
  remove_all_of(keys, gone);
  for (auto& one : retired_) {
    remove_all_of(keys, one.keys);
  }
  std::erase_if(retired_, [&](const retired& one) { return one.until <= now || one.keys.empty(); });
  if (!gone.empty()) {
    retired_.insert(retired_.begin(), {std::move(gone), now + grace_});
    retired_.resize(std::min(retired_.size(), max_retired));
  }
  current_ = std::move(keys);
}

result_keys::list result_keys::usable(clock::time_point now) const {
  list out = current_;
  for (const auto& one : retired_) {
    if (now < one.until) {
      std::ranges::copy(one.keys, std::back_inserter(out));
    }
  }
  return out;
}

}  // namespace atls
