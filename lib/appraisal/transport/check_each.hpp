// Whether one of several Verifiers is at work.
#pragma once

#include "core/error.hpp"
#include "core/wait.hpp"

#include <memory>

#include <boost/asio/awaitable.hpp>

namespace atls {

/// Asks each (what `verifiers` points to has check(deadline), as verifier_client) until one
/// answers; the last one's failure if none does. Each has its share of the time.
template <class List>
boost::asio::awaitable<result<bool>> check_each(std::shared_ptr<const List> verifiers,
                                                steady_time deadline) {
  failure why(errc::verifier_unavailable);
  auto left = static_cast<long>(verifiers->size());
  for (const auto& one : *verifiers) {
    const auto now = std::chrono::steady_clock::now();
    const auto share = (deadline - now) / left;
    --left;
    const auto found = co_await one->check(now + share);
    if (found) {
      co_return true;
    }
    why = found.error();
  }
  co_return why;
}

}  // namespace atls
