#include "atlsd/watched_files.hpp"

#include <algorithm>
#include <set>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <boost/asio/buffer.hpp>

namespace atls {
namespace {

// Certificate and key are two files: whoever replaces them gets a moment for both.
constexpr auto quiet = std::chrono::milliseconds(200);

constexpr std::uint32_t what_changes =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;

std::set<std::filesystem::path> directories_of(const file_digests& files) {
  std::set<std::filesystem::path> out;
  for (const auto& [file, digest] : files) {
    out.insert(file.has_parent_path() ? file.parent_path() : ".");
    std::error_code ec;
    if (const auto target = std::filesystem::canonical(file, ec); !ec) {
      out.insert(target.parent_path());
    }
    if (std::filesystem::is_directory(file, ec)) {
      out.insert(file);
    }
  }
  return out;
}

}  // namespace

watched_files::watched_files(boost::asio::io_context& io, spare_descriptors& spare,
                             std::function<void()> changed)
    : spare_(spare), changed_(std::move(changed)), events_(io), next_look_(io) {}

void watched_files::watch(file_digests in_use, std::chrono::milliseconds poll_interval) {
  stop();
  in_use_ = std::move(in_use);
  poll_interval_ = poll_interval;
  look_by_ = std::chrono::steady_clock::now() + poll_interval;
  if (descriptor events{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)}) {
    for (const auto& directory : directories_of(in_use_)) {
      ::inotify_add_watch(events.get(), directory.c_str(), what_changes);
    }
    events_.assign(events.get());
    events.release();
    wait_for_events();
  }
  // At what changed before there were events.
  look_within(quiet);
}

void watched_files::stop() {
  boost::system::error_code ignored;
  events_.close(ignored);
  next_look_.cancel();
}

file_digests watched_files::look() const {
  const auto lent = spare_.lend();
  if (!descriptor(::eventfd(0, EFD_CLOEXEC))) {
    // That nothing can be read says nothing of the files.
    return in_use_;
  }
  file_digests out;
  for (const auto& [file, digest] : in_use_) {
    out.emplace(file, digest_of_file(file));
  }
  return out;
}

void watched_files::wait_for_events() {
  events_.async_read_some(boost::asio::buffer(discarded_),
                          [this](boost::system::error_code ec, std::size_t) {
                            if (!ec) {
                              wait_for_events();
                              look_within(quiet);
                            }
                          });
}

void watched_files::look_within(std::chrono::milliseconds pause) {
  next_look_.expires_at(std::min(std::chrono::steady_clock::now() + pause, look_by_));
  next_look_.async_wait([this](boost::system::error_code ec) {
    if (!ec) {
      compare();
    }
  });
}

void watched_files::compare() {
  look_by_ = std::chrono::steady_clock::now() + poll_interval_;
  look_within(poll_interval_);
  if (auto now = look(); now != in_use_) {
    in_use_ = std::move(now);
    changed_();
  }
}

}  // namespace atls
