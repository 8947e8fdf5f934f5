// The life of atlsd: start, reload, drain, end.
#pragma once

#include "atlsd/admin.hpp"
#include "atlsd/predecessor.hpp"
#include "atlsd/watched_files.hpp"

namespace atls {

/// Runs on the main thread: signals, the service manager, files that change, commands of the admin
/// endpoint.
class supervisor {
 public:
  /// `seen`: what config::load saw. `before`: another atlsd on the same addresses, to be told to
  /// drain when this one serves. Binds; throws atls::error.
  supervisor(std::filesystem::path file, config first, file_digests seen,
             std::optional<predecessor> before);
  ~supervisor();

  /// Until a signal or command ends it. 0 if all connections ended by themselves, 1 if some were
  /// cut. Throws atls::error if it cannot start.
  int run();

 private:
  void start();
  void start_admin(const config& from);
  void wait_for_signals();
  void handle(int signal);
  /// Whatever is wrong leaves the present configuration in force.
  result<void> reload(const std::string& why);
  void use(std::shared_ptr<const config> next);
  void begin_drain();
  void end_when_drained();
  void watch_files(file_digests seen);
  /// Now and once a day from now on.
  void warn_of_expiry();
  void sum_up() const;

  const std::filesystem::path file_;
  const std::optional<predecessor> before_;
  boost::asio::io_context io_{1};
  /// For reloads.
  spare_descriptors spare_;
  state state_;
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  assembler assembler_;
  proxy::service service_;
  std::unique_ptr<readiness> readiness_;
  admin admin_;  // after what it looks at
  /// Of the first configuration, until they are watched.
  file_digests seen_first_;
  watched_files files_;
  boost::asio::posix::stream_descriptor signals_;
  boost::asio::steady_timer drained_;
  boost::asio::steady_timer next_expiry_check_;
  std::atomic<std::int64_t> silence_ms_ = 0;
  bool is_draining_ = false;
  /// Once drained, or by then.
  std::optional<steady_time> end_by_;
  bool was_cut_ = false;
};

}  // namespace atls
