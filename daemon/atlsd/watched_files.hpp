// Tells when files have other contents than before, however they were replaced.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace atls {

/// Watches the files' directories (inotify(7)), those of their symbolic links' targets too, and
/// looks at the contents at an interval besides: Kubernetes swaps a link beside the file, network
/// file systems tell nothing. Contents count, so that a file that is touched is no change.
class watched_files {
 public:
  /// `changed` is called on io's thread, once things have been quiet for a moment.
  watched_files(boost::asio::io_context& io, std::function<void()> changed);

  /// These from now on, with the contents that they have now.
  void watch(const std::vector<std::filesystem::path>& files,
             std::chrono::milliseconds poll_interval);
  void stop();

 private:
  void wait_for_events();
  void wait_for(std::chrono::milliseconds pause);
  void look();
  std::string digest() const;

  boost::asio::io_context& io_;
  const std::function<void()> changed_;
  std::vector<std::filesystem::path> files_;
  std::chrono::milliseconds poll_interval_{0};
  std::string digest_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer next_look_;
  char discarded_[4096];
};

}  // namespace atls
