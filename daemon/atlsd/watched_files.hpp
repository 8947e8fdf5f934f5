// Tells when files have other contents than those in use, however they were replaced.
#pragma once

#include "atlsd/file_digests.hpp"
#include "core/descriptors.hpp"

#include <chrono>
#include <functional>

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
  /// `spare` are used while it looks.
  watched_files(boost::asio::io_context& io, spare_descriptors& spare,
                std::function<void()> changed);

  /// These from now on. A file whose content is not `in_use` has changed, be it before this call:
  /// the digests are to be taken before or while the files are used.
  void watch(file_digests in_use, std::chrono::milliseconds poll_interval);
  void stop();

  /// What is watched, as it is now.
  file_digests look() const;

 private:
  void wait_for_events();
  void look_within(std::chrono::milliseconds pause);
  void compare();

  spare_descriptors& spare_;
  const std::function<void()> changed_;
  file_digests in_use_;
  std::chrono::milliseconds poll_interval_{0};
  /// However many events come.
  std::chrono::steady_clock::time_point look_by_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer next_look_;
  char discarded_[4096];
};

}  // namespace atls
