// The admin endpoint: HTTP/1.1 on a thread of its own, so that whoever looks does not slow the
// connections.
#pragma once

#include "atlsd/metrics.hpp"

#include <functional>

namespace atls {

/// What the endpoint may have done; called on its thread, to be carried out on another.
struct admin_commands {
  /// `done` may be called from any thread, once.
  std::function<void(std::function<void(result<void>)> done)> reload;
  /// Accept no more.
  std::function<void()> drain;
  /// The same, and end when the last connection has.
  std::function<void()> quit;
  /// How long the quietest I/O thread has been silent.
  std::function<std::chrono::milliseconds()> silence;
  std::function<std::size_t()> open_connections;
  /// Of these, peers before their verdict.
  std::function<proxy::admission::counters()> half_open;
};

class admin {
 public:
  /// Binds; throws atls::error. Of nobody's choosing (admin_settings::is_default): false from
  /// is_listening() instead.
  admin(const config::admin_settings& from, proxy::listener::beside other);
  /// Ends the thread.
  ~admin();
  admin(const admin&) = delete;
  admin& operator=(const admin&) = delete;

  bool is_listening() const noexcept;

  /// Starts to serve, once.
  void start(const state& of, const readiness& ready, std::shared_ptr<prometheus::Registry> counted,
             admin_commands commands);

 private:
  class server;
  std::unique_ptr<server> server_;
};

}  // namespace atls
