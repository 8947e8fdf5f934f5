#include "core/files.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <openssl/rand.h>

namespace atls {
namespace {

// write(2) may take less than it is given.
bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return false;
    }
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

result<std::string> read_file(const std::filesystem::path& path, errc why,
                              std::size_t limit_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return failure(why, "cannot read " + path.string() + ": " + std::strerror(errno));
  }
  std::string content(limit_bytes + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || std::filesystem::is_directory(path)) {
    return failure(why, "cannot read " + path.string() + ": it is not a regular file");
  }
  if (content.size() > limit_bytes) {
    return failure(why,
                   path.string() + " is larger than " + std::to_string(limit_bytes) + " bytes");
  }
  return content;
}

result<held_directory> held_directory::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return failure(errc::internal,
                   "cannot open directory " + path.string() + ": " + std::strerror(errno));
  }
  return held_directory(path, descriptor);
}

held_directory::held_directory(held_directory&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

held_directory::~held_directory() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

result<void> held_directory::lock() const {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return failure(errc::state_busy, path_.string() + ": " + std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || status.st_nlink == 0) {
    return failure(errc::state_busy, path_.string() + " was removed just now");
  }
  return {};
}

staged_files::~staged_files() {
  if (is_committed_) {
    return;
  }
  for (const auto& file : files_) {
    const auto& made = file.is_in_place ? file.name : file.temporary;
    ::unlinkat(where_.descriptor(), made.c_str(), 0);
  }
}

failure staged_files::failed(const std::string& name) const {
  return {errc::internal,
          "cannot write " + (where_.path() / name).string() + ": " + std::strerror(errno)};
}

result<void> staged_files::add(const std::string& name, std::string_view content, unsigned mode) {
  struct stat found {};
  if (::fstatat(where_.descriptor(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
      !S_ISREG(found.st_mode)) {
    return failure(errc::internal, (where_.path() / name).string() +
                                       " is not a regular file and is left alone; remove it or "
                                       "choose another name");
  }
  std::array<std::uint8_t, 8> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) {
    return failure(errc::internal, "no random bytes");
  }
  const auto temporary = "." + name + "." + to_hex(random);
  const int fd = ::openat(where_.descriptor(), temporary.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    return failed(name);
  }
  files_.push_back({name, temporary});
  const bool is_written = write_all(fd, content) && ::fchmod(fd, mode) == 0 && ::fsync(fd) == 0;
  if (::close(fd) != 0 || !is_written) {
    return failed(name);
  }
  return {};
}

result<void> staged_files::commit() {
  const int in = where_.descriptor();
  for (auto& file : files_) {
    if (::renameat(in, file.temporary.c_str(), in, file.name.c_str()) != 0) {
      return failed(file.name);
    }
    file.is_in_place = true;
  }
  if (::fsync(in) != 0) {
    return failed("");
  }
  is_committed_ = true;
  return {};
}

result<void> write_file(const std::filesystem::path& path, std::string_view content,
                        unsigned mode) {
  const auto parent = path.parent_path();
  ATLS_TRY(const auto where, held_directory::open(parent.empty() ? "." : parent));
  staged_files files(where);
  ATLS_CHECK(files.add(path.filename(), content, mode));
  return files.commit();
}

}  // namespace atls
