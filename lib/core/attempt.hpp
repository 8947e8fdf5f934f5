// From exceptions to results, where whoever asks must go on whatever happens.
#pragma once

#include "core/error.hpp"

namespace atls {

/// What `run` throws, as a failure; `internal` if it has no reason of its own.
template <class Run>
result<void> attempt(Run run) {
  try {
    run();
    return {};
  } catch (const error& e) {
    return e.why();
  } catch (const std::exception& e) {
    return failure(errc::internal, e.what());
  }
}

/// The result of `body`, for callers in C, into which no exception may pass: `internal` instead.
template <class Body>
auto guarded(Body body) noexcept -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& e) {
    return failure(errc::internal, e.what());
  }
}

/// Runs an io_context to its end. A handler that throws, out of memory, has ended; the others go
/// on.
template <class Context>
void run_to_the_end(Context& io) {
  while (!attempt([&io] { io.run(); })) {
  }
}

}  // namespace atls
