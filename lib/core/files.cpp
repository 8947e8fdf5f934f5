#include "core/files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace atls {

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

result<void> write_file(const std::filesystem::path& path, std::string_view content,
                        unsigned mode) {
  const auto temporary = path.string() + ".new";
  const auto failed = [&] {
    failure f(errc::internal, "cannot write " + path.string() + ": " + std::strerror(errno));
    ::unlink(temporary.c_str());
    return f;
  };
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) {
    return failed();
  }
  const bool written =
      ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      ::fchmod(fd, mode) == 0 && ::fsync(fd) == 0;
  if (::close(fd) != 0 || !written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return failed();
  }
  return {};
}

}  // namespace atls
