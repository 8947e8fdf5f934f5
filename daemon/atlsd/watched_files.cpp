#include "atlsd/watched_files.hpp"

#include "core/files.hpp"

#include <set>
#include <sys/inotify.h>

#include <boost/asio/buffer.hpp>
#include <openssl/evp.h>

namespace atls {
namespace {

// Certificate and key are two files: whoever replaces them gets a moment for both.
constexpr auto quiet = std::chrono::milliseconds(200);

constexpr std::uint32_t what_changes =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;

}  // namespace

watched_files::watched_files(boost::asio::io_context& io, std::function<void()> changed)
    : io_(io), changed_(std::move(changed)), events_(io), next_look_(io) {}

void watched_files::watch(const std::vector<std::filesystem::path>& files,
                          std::chrono::milliseconds poll_interval) {
  stop();
  files_ = files;
  poll_interval_ = poll_interval;
  digest_ = digest();
  std::set<std::filesystem::path> directories;
  for (const auto& file : files_) {
    directories.insert(file.has_parent_path() ? file.parent_path() : ".");
    std::error_code ec;
    if (const auto target = std::filesystem::canonical(file, ec); !ec) {
      directories.insert(target.parent_path());
    }
    if (std::filesystem::is_directory(file, ec)) {
      directories.insert(file);
    }
  }
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd >= 0) {
    for (const auto& directory : directories) {
      ::inotify_add_watch(fd, directory.c_str(), what_changes);
    }
    events_.assign(fd);
    wait_for_events();
  }
  wait_for(poll_interval_);
}

void watched_files::stop() {
  boost::system::error_code ignored;
  events_.close(ignored);
  next_look_.cancel();
}

void watched_files::wait_for_events() {
  events_.async_read_some(boost::asio::buffer(discarded_),
                          [this](boost::system::error_code ec, std::size_t) {
                            if (!ec) {
                              wait_for(quiet);
                              wait_for_events();
                            }
                          });
}

void watched_files::wait_for(std::chrono::milliseconds pause) {
  next_look_.expires_after(pause);
  next_look_.async_wait([this](boost::system::error_code ec) {
    if (!ec) {
      look();
    }
  });
}

void watched_files::look() {
  wait_for(poll_interval_);
  if (auto now = digest(); now != digest_) {
    digest_ = std::move(now);
    changed_();
  }
}

// SHA-256 over names and contents.
std::string watched_files::digest() const {
  std::string all;
  for (const auto& file : files_) {
    const auto text = read_file(file, errc::internal);
    all.append(file.string()).append(text ? "\n=" + *text : "\n-").append("\n");
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(file, ec)) {
      all.append(entry.path().string()).append("\n");
    }
  }
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(all.data(), all.size(), out, &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(out), size};
}

}  // namespace atls
