#include "appraisal/transport/result_keys.hpp"

#include <algorithm>

namespace atls {
namespace {

// A Verifier that shows another key each time is not given room for all of them.
constexpr std::size_t max_retired = 4;

bool is_same(const jws_key& a, const jws_key& b) {
  return a.algorithm == b.algorithm && EVP_PKEY_eq(a.key.get(), b.key.get()) == 1;
}

}  // namespace

void result_keys::set_current(std::shared_ptr<const jws_key> key, clock::time_point now) {
  if (current_ && is_same(*current_, *key)) {
    return;
  }
  std::erase_if(retired_,
                [&](const retired& one) { return one.until <= now || is_same(*one.key, *key); });
  if (current_) {
    retired_.insert(retired_.begin(), {current_, now + grace_});
    retired_.resize(std::min(retired_.size(), max_retired));
  }
  current_ = std::move(key);
}

result_keys::list result_keys::usable(clock::time_point now) const {
  list out;
  if (current_) {
    out.push_back(current_);
  }
  for (const auto& one : retired_) {
    if (now < one.until) {
      out.push_back(one.key);
    }
  }
  return out;
}

}  // namespace atls
