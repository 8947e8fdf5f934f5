#include "atlsd/readiness.hpp"

#include "core/attempt.hpp"

namespace atls {
namespace {

constexpr auto interval = std::chrono::seconds(3);
constexpr auto patience = std::chrono::seconds(2);

result<void> look(const assembly& parts) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (const auto& one : parts.presenters) {
    ATLS_CHECK(one->check(deadline));
  }
  // With passports alone nobody is asked for each connection.
  if (parts.relying_party && parts.asks_verifier) {
    ATLS_CHECK(parts.relying_party->check(deadline));
  }
  return {};
}

// Whatever happens is an answer.
result<void> look_without_exceptions(const assembly& parts) {
  result<void> found;
  const auto outcome = attempt([&] { found = look(parts); });
  return outcome ? found : outcome;
}

}  // namespace

readiness::readiness(const state& of) : state_(of), thread_([this] { loop(); }) {}

readiness::~readiness() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::string readiness::why_not() const {
  const auto stage = state_.get().stage;
  if (stage == life::initializing || stage == life::stopping) {
    return std::string(to_string(stage));
  }
  const std::lock_guard lock(mutex_);
  return why_not_;
}

void readiness::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto parts = state_.get().parts;
    const auto found = parts ? look_without_exceptions(*parts) : result<void>();
    lock.lock();
    if (parts) {
      why_not_ = found ? "" : found.error().text();
    }
    wake_.wait_for(lock, parts ? interval : std::chrono::milliseconds(50),
                   [this] { return stopping_; });
  }
}

}  // namespace atls
